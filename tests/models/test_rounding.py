"""Numbers of two bytes, and what becomes of the rest of them."""

from __future__ import annotations

from typing import Any

import lda_replay as replay
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.datasets import make_corpus
from dpsvi.engine import Plan, Result, run
from dpsvi.engine.backends.simulated import Simulated
from dpsvi.models.bfloat16 import narrow, widen
from dpsvi.models.conjugate import NaturalParameters, Rounding, Rows
from dpsvi.models.lda.evaluation import Completion, Documents

Array = npt.NDArray[Any]

# Two-byte numbers that are not subnormal, and do not overflow.
finite = st.floats(2.0**-126, 1.5 * 2.0**127, width=32)


def slow_narrow(value: float) -> float:
    """The nearer of the two-byte numbers below and above; of two, the even one."""
    bits = np.array([value], np.float32).view(np.uint32)
    below = int(bits[0]) & 0xFFFF0000
    low, high = np.array([below, below + 0x10000], np.uint32).view(np.float32)
    to_low, to_high = value - float(low), float(high) - value
    if to_low == to_high:
        return float(low if (below >> 16) % 2 == 0 else high)
    return float(low if to_low < to_high else high)


@given(value=finite, sign=st.sampled_from([1.0, -1.0]))
def test_numbers_are_rounded_to_the_nearest(value: float, sign: float) -> None:
    rounded = float(widen(narrow(np.array([sign * value])))[0])
    assert rounded == sign * slow_narrow(value)
    assert abs(rounded - sign * value) <= 2.0**-8 * value


@given(odd=st.integers(0x0080, 0x7F7E))
def test_halfway_is_rounded_to_the_even_one(odd: int) -> None:
    halfway = np.array([(odd << 16) | 0x8000], np.uint32).view(np.float32)
    assert narrow(halfway)[0] == odd + odd % 2


def test_two_byte_numbers_stay_as_they_are() -> None:
    every = np.arange(2**16, dtype=np.uint16)
    numbers = every[~np.isnan(widen(every))]
    np.testing.assert_array_equal(narrow(widen(numbers)), numbers)


def test_what_is_no_number_stays_so() -> None:
    nans = np.array([0x7FC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001], np.uint32)
    assert np.isnan(widen(narrow(nans.view(np.float32)))).all()
    assert widen(narrow(np.array([np.inf, -np.inf]))).tolist() == [np.inf, -np.inf]
    # Past the largest number of two bytes.
    assert np.isinf(widen(narrow(np.array([np.finfo(np.float32).max])))[0])


def make_update(seed: int, log_base: float, every_row: bool) -> Rows:
    rng = np.random.default_rng(seed)
    rows: Any = np.flatnonzero(rng.random(40) < 0.5).astype(np.int32)
    if every_row:
        rows = slice(None)
    n_rows = np.arange(40)[rows].size
    # Some are too small to be seen next to the others.
    values = rng.gamma(0.2, size=(n_rows, 3)) * 10.0 ** rng.integers(-6, 3, (n_rows, 1))
    return Rows(rows, values, values.sum(axis=0), log_base)


@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=12),
    data=st.data(),
)
def test_pushed_and_kept_are_what_was_added(seeds: list[int], data: Any) -> None:
    rounding = Rounding((40, 3), np.float64)
    exact, pushed, largest = np.zeros((3, 40, 3))
    log_base = 0.0
    for seed in seeds:
        # Units are renewed now and then.
        log_base -= data.draw(st.sampled_from([0.0, 0.0, 0.0, 3.0]))
        update = make_update(seed, log_base, data.draw(st.booleans()))
        exact[update.rows] += np.exp(-log_base) * update.values
        push = rounding(update)
        assert push.values.dtype == np.uint16
        assert push.log_base == log_base
        wide = widen(push.values)
        assert wide.min(initial=0.0) >= 0
        np.testing.assert_allclose(push.totals, wide.sum(axis=0, dtype=float))
        pushed[push.rows] += np.exp(-log_base) * wide
        now = np.exp(-log_base) * wide
        largest[push.rows] = np.maximum(largest[push.rows], now)
    left = rounding.left(slice(None))
    kept = np.exp(-left.log_base) * left.values
    np.testing.assert_allclose(pushed + kept, exact, rtol=1e-12)
    # No worse after many pushes than after one: half of the last place of the largest.
    assert np.all(np.abs(kept) <= 2.0**-8 * 1.001 * largest + 1e-35)


def test_what_is_too_small_by_itself_counts_in_the_end() -> None:
    rounding = Rounding((1, 1), np.float64)
    one, total = 1.001, 0.0
    for _ in range(1000):
        update = Rows(slice(None), np.array([[one]]), np.array([one]), 0.0)
        total += float(widen(rounding(update).values)[0, 0])
    # Every number by itself would be rounded to 1.
    assert total == pytest.approx(1000 * one, abs=2.0**-7)


@pytest.mark.parametrize("rate", [1.0, 0.5])
@pytest.mark.parametrize("every_row", [True, False])
def test_the_master_adds_what_the_numbers_stand_for(
    rate: float, every_row: bool
) -> None:
    push = Rounding((40, 3), np.float32)(make_update(0, -1.0, every_row))
    wide = Rows(push.rows, widen(push.values), push.totals, push.log_base)
    sums = []
    for update in (push, wide):
        weights = np.ones((40, 4), np.float32)
        weights[:, 3] = 0.0
        parameters = NaturalParameters(weights, np.zeros((1, 3)), 0.1)
        parameters.sum_again()
        parameters.add(update, rate)
        totals = parameters.totals.sum(axis=0)
        np.testing.assert_allclose(totals, weights[:, :3].sum(axis=0), rtol=1e-5)
        sums.append(weights)
    np.testing.assert_array_equal(*sums)


CORPUS = make_corpus(500, n_topics=4, random_state=0).counts.astype(np.float32)
TRAIN, HELD_OUT = CORPUS[:400], CORPUS[400:]


def fit(inference: str, bfloat16_pushes: bool, seed: int, **plan: Any) -> Result:
    """Ten epochs of four workers, in the same order for the same seed."""
    problem = replay.make_problem(
        (4.0 + np.arange(80)) ** -0.6,
        400,
        n_words=TRAIN.shape[1],
        inference=inference,
        batch_size=50,
        dtype=np.dtype("float32"),
        bfloat16_pushes=bfloat16_pushes,
    )
    layout = Plan(total_steps=80, n_workers=4, local_steps=2, seed=seed, **plan)
    shards = [TRAIN[worker::4] for worker in range(4)]
    return run(problem, shards, layout, backend=Simulated(seed=seed))


def perplexity(result: Result) -> float:
    """Of held-out documents, after equal documents."""
    assert result.counters.merged == pytest.approx(4000, rel=0.05)
    documents = Documents(HELD_OUT, np.full(4, 0.3), 1e-3, 100, 1)
    log_scale = np.log1p(-((4.0 + np.arange(80)) ** -0.6)).sum()
    parameters = result.parameters
    parameters.sum_again()
    return Completion(documents, 0.5, 0).perplexity(
        parameters, parameters.scale(log_scale)
    )


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
def test_topics_are_as_good(inference: str) -> None:
    full = [perplexity(fit(inference, False, seed)) for seed in range(4)]
    half = [perplexity(fit(inference, True, seed)) for seed in range(4)]
    assert half != full
    assert abs(np.mean(half) - np.mean(full)) < max(np.ptp(full), 0.005 * full[0])


def test_topics_stay_above_their_prior_when_pushes_are_dropped() -> None:
    result = fit("vb", True, 0, master_batch_size=1, max_staleness=3)
    assert result.counters.too_stale > 0
    assert result.parameters.weights.min() >= 0


def test_nothing_is_rounded_where_nothing_travels() -> None:
    counts = replay.make_counts()
    results = []
    for chosen in (False, True):
        problem = replay.make_problem(np.full(12, 0.3), 24, bfloat16_pushes=chosen)
        results.append(run(problem, [counts], Plan(total_steps=12, seed=3)))
    one, two = (result.parameters.weights for result in results)
    np.testing.assert_array_equal(one, two)
