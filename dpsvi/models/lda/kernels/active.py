"""Coordinate ascent on the few topics that a document uses.

After some iterations most documents use a fifth of the topics, and the others hardly
change. Here the others rest while the few go on, at a fraction of the cost; whoever
calls then judges the result by an iteration on all.

Coordinate ascent on one document closes in on its fixed point along a line, without
oscillation: the Jacobian there has eigenvalues in [0, 1). Steps longer than the plain
ones, with some of the step before, then need about half the iterations (Polyak's heavy
ball, a second-order Richardson iteration).
"""

from __future__ import annotations

from typing import Any

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.models.lda.kernels.special import exp_psi

# Expected count from which a document is said to use a topic.
_USED = 0.01
# Of a plain step, and of the step before. On Wikipedia (K = 100) these nearly halve the
# iterations; from 1.6 to 2.0 and from 0.25 to 0.4 it makes little difference.
_STRIDE = 1.8
_MOMENTUM = 0.3


@kernel(fastmath=False)
def choose_active(gamma: Any, prior: Any, n_topics: Any, active: Any) -> Any:
    """Equivalent to ``active = np.flatnonzero(gamma > prior + 0.01)``; its length.

    `active` has room for one more than `n_topics`.
    """
    least = gamma.dtype.type(_USED)
    n_active = 0
    for k in range(n_topics):
        active[n_active] = k
        n_active += gamma[k] > prior[k] + least
    return n_active


@kernel(fastmath=FASTMATH, inline="always")
def _gather(
    rows: Any,
    length: Any,
    counts: Any,
    active: Any,
    e: Any,
    ratio: Any,
    columns: Any,
    rest: Any,
) -> None:
    """Lay the probabilities of each active topic side by side; sum up the others'."""
    zero, one, tiny = e.dtype.type(0), e.dtype.type(1), e.dtype.type(1e-30)
    for j in range(length):
        rest[j] = counts[j] / ratio[j]
    for i in range(active.size):
        k, x = active[i], e[i]
        for j in range(length):
            columns[i, j] = rows[j, k]
        for j in range(length):
            rest[j] -= x * columns[i, j]
    for j in range(length):
        rest[j] = max(rest[j], tiny)
    for j in range(length, columns.shape[1]):
        rest[j], counts[j] = one, zero
        for i in range(active.size):
            columns[i, j] = zero
    for i in range(active.size, columns.shape[0]):
        for j in range(columns.shape[1]):
            columns[i, j] = zero


@kernel(fastmath=FASTMATH, inline="always")
def _weigh_columns(
    columns: Any, counts: Any, rest: Any, e: Any, ratio: Any, sums: Any
) -> None:
    """Equivalent to ``ratio = counts / (rest + e @ columns); sums = columns @ ratio``.

    Four topics at a time, so that the words are read and written once for the four.
    """
    zero = e.dtype.type(0)
    for j in range(columns.shape[1]):
        ratio[j] = rest[j]
    for quarter in range(columns.shape[0] // 4):
        i = 4 * quarter
        e0, e1, e2, e3 = e[i], e[i + 1], e[i + 2], e[i + 3]
        for j in range(columns.shape[1]):
            x = e0 * columns[i, j] + e1 * columns[i + 1, j]
            ratio[j] += x + (e2 * columns[i + 2, j] + e3 * columns[i + 3, j])
    for j in range(columns.shape[1]):
        ratio[j] = counts[j] / ratio[j]
    for quarter in range(columns.shape[0] // 4):
        i = 4 * quarter
        s0, s1, s2, s3 = zero, zero, zero, zero
        for j in range(columns.shape[1]):
            x = ratio[j]
            s0 += x * columns[i, j]
            s1 += x * columns[i + 1, j]
            s2 += x * columns[i + 2, j]
            s3 += x * columns[i + 3, j]
        sums[i], sums[i + 1], sums[i + 2], sums[i + 3] = s0, s1, s2, s3


@kernel(fastmath=FASTMATH)
def refine(
    rows: Any,
    length: Any,
    counts: Any,
    prior: Any,
    active: Any,
    bound: Any,
    max_iterations: Any,
    e: Any,
    ratio: Any,
    scratch: Any,
    few: Any,
    rest: Any,
    gamma: Any,
) -> Any:
    """Iterate on the active topics of a document while the others rest.

    Equivalent, with ``rest = counts / ratio - rows[:, active] @ e[active]``, to
    repeating ``e = np.exp(psi(gamma[active]))``,
    ``ratio = counts / (rest + rows[:, active] @ e)`` and
    ``change = prior[active] + e * (ratio @ rows[:, active]) - gamma[active]`` until
    these sum to less than `bound`, each time with the step
    ``step = 1.8 * change + 0.3 * step`` of gamma, which never goes below the prior.

    Parameters
    ----------
    rows : ndarray of shape (at least length, n_padded)
        Topics of the document's words.
    length : int
        Its number of distinct words.
    counts : ndarray
        How often they occur; zeros are written behind the last.
    prior, gamma : ndarrays of shape (n_padded,)
        α, and γ, which changes.
    active : ndarray of shape (n_active,), int
        Which topics.
    bound, max_iterations : float, int
        When to stop.
    e, ratio : ndarrays
        Of the last iteration on all topics. `ratio` is written over.
    scratch, few, rest : ndarrays
        Scratch: ``(n_active + 7) * (length + 15)`` numbers, 5 rows of
        ``n_active + 7``, and ``length + 15`` numbers.

    Returns
    -------
    int
        Iterations done.
    """
    zero, one = gamma.dtype.type(0), gamma.dtype.type(1)
    height, width = (active.size + 7) // 8 * 8, (length + 15) // 16 * 16
    columns = scratch[: height * width].reshape(height, width)
    few_gamma, few_prior, few_e, sums, steps = few[0], few[1], few[2], few[3], few[4]
    stride, momentum = gamma.dtype.type(_STRIDE), gamma.dtype.type(_MOMENTUM)
    for i in range(height):
        # What fills up the last eight topics never changes.
        few_gamma[i], few_prior[i], steps[i] = one, one, zero
    for i in range(active.size):
        few_gamma[i], few_prior[i] = gamma[active[i]], prior[active[i]]
        few_e[i] = e[active[i]]
    _gather(rows, length, counts, active, few_e, ratio, columns, rest)
    change = bound + one
    iteration = 0
    while iteration < max_iterations and change >= bound:
        for i in range(height):
            few_e[i] = exp_psi(few_gamma[i], zero)
        _weigh_columns(columns, counts, rest, few_e, ratio, sums)
        change = zero
        for i in range(height):
            before = few_gamma[i]
            plain = few_prior[i] + few_e[i] * sums[i] - before
            change += abs(plain)
            # Far from the fixed point a long step may leave the allowed range.
            g = max(before + stride * plain + momentum * steps[i], few_prior[i])
            few_gamma[i], steps[i] = g, g - before
        iteration += 1
    for i in range(active.size):
        gamma[active[i]] = few_gamma[i]
    return iteration
