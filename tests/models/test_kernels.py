"""The kernels against slow references: any shapes, both precisions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import reference
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsvi.models.arrays import aligned, padded_size
from dpsvi.models.conjugate import NaturalParameters
from dpsvi.models.lda.inference import Inference
from dpsvi.models.lda.kernels import active
from dpsvi.models.lda.kernels.cvb0 import cvb0_scratch, cvb0_step
from dpsvi.models.lda.kernels.scores import log_mixtures
from dpsvi.models.lda.kernels.topics import expected_topics
from dpsvi.models.lda.kernels.vb import add_statistics

Array = npt.NDArray[Any]
CLOSE = {"float32": 3e-3, "float64": 1e-8}

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


class Case(NamedTuple):
    """A corpus, a λ and a mini-batch."""

    counts: sp.csr_array
    parameters: NaturalParameters
    scale: float
    alpha: Array
    documents: Array

    @property
    def lam(self) -> Array:
        """λ in double precision, word-major."""
        n_topics = self.alpha.size
        weights = self.parameters.weights[:, :n_topics].astype(float)
        return self.parameters.prior + self.scale * weights


@st.composite
def cases(draw: st.DrawFn, dtype: str, largest: float = 1e9) -> Case:
    """Draw a case: K may be 1; documents empty, of one word, of odd counts."""
    n_topics = draw(st.sampled_from([1, 2, 5, 16, 19]))
    n_words, n_documents = draw(st.integers(1, 12)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    table = rng.poisson(draw(st.sampled_from([0.3, 1.5])), (n_documents, n_words))
    factors = [0.25, 1.0, largest]
    table = table * draw(st.sampled_from(factors))
    table[draw(st.integers(0, n_documents - 1))] = 0.0
    weights = aligned((n_words, padded_size(n_topics, dtype)), dtype)
    weights[:, :n_topics] = rng.gamma(draw(st.sampled_from([0.1, 5.0])), 3.0, (1, 1))
    weights[:, :n_topics] *= rng.random((n_words, n_topics))
    prior = draw(st.sampled_from([0.05, 1.0]))
    parameters = NaturalParameters(weights, np.zeros((1, n_topics)), prior)
    parameters.sum_again()
    documents = rng.permutation(n_documents)[: draw(st.integers(1, n_documents))]
    return Case(
        sp.csr_array(table.astype(dtype)),
        parameters,
        draw(st.sampled_from([1.0, 0.3])),
        rng.uniform(0.05, 2.0, n_topics),
        documents.astype(np.int32),
    )


def infer(case: Case, noise: int = 0, tol: float = 1e-3) -> tuple[Inference, int]:
    inference = Inference(case.counts, case.alpha, tol, 30)
    done = inference.infer(case.documents, case.parameters, case.scale, noise)
    return inference, done


@dtypes
@given(data=st.data())
def test_words_are_numbered_in_order_of_appearance(
    dtype: str, data: st.DataObject
) -> None:
    case = data.draw(cases(dtype))
    inference, _ = infer(case)
    entries = case.counts[case.documents].indices
    np.testing.assert_array_equal(inference.words[inference.local], entries)
    assert inference.words.tolist() == list(dict.fromkeys(entries.tolist()))
    assert np.all(inference._slots == -1)


@dtypes
@given(data=st.data())
def test_expected_topics(dtype: str, data: st.DataObject) -> None:
    case = data.draw(cases(dtype))
    inference, _ = infer(case)
    expected = reference.expected_topics(case.lam)[inference.words]
    expected *= np.exp(inference.shifts[:, np.newaxis].astype(float))
    topics = inference.topics[:, : case.alpha.size]
    np.testing.assert_allclose(topics, expected, rtol=CLOSE[dtype] / 10)
    assert not inference.topics[:, case.alpha.size :].any()
    known = reference.exp_psi(case.lam).sum(axis=1)[inference.words] > 1e-3
    assert not inference.shifts[known].any()


@dtypes
def test_topics_of_a_word_that_no_topic_knows_are_relative(dtype: str) -> None:
    n_padded = padded_size(3, dtype)
    weights, out = aligned((2, n_padded), dtype), aligned((2, n_padded), dtype)
    weights[:, :3] = [[0.0, 1e-5, 2e-5], [0.0, 5.0, 1.0]]
    factors = np.zeros(n_padded, dtype)
    factors[:3] = [1.0, 0.5, 2.0]
    shifts = np.full(2, 7.0, dtype)
    to = np.dtype(dtype).type
    words = np.array([0, 1], np.int32)
    expected_topics(weights, to(1e-3), to(1.0), factors, words, out, shifts)
    lam = 1e-3 + weights[:, :3].astype(float)
    # exp(psi(0.001)) is below the smallest float; the row's shape must be there.
    assert shifts[0] == pytest.approx(1.0 / lam[0].max(), rel=1e-5)
    assert shifts[1] == 0.0
    expected = reference.exp_psi(lam, shifts[:, np.newaxis].astype(float)) * factors[:3]
    np.testing.assert_allclose(out[:, :3], expected, rtol=CLOSE[dtype], atol=1e-30)
    assert 0.1 < out[0].max() < 10.0


@dtypes
@pytest.mark.parametrize("noise", [0, 12345])
@given(data=st.data())
@settings(max_examples=60)
def test_documents_and_statistics(dtype: str, noise: int, data: st.DataObject) -> None:
    case = data.draw(cases(dtype))
    # Relative to the counts, else single precision never gets there.
    tol = 1e-3 * max(1.0, float(case.counts.max()))
    inference, done = infer(case, noise, tol)
    counts, lam, alpha = case.counts, case.lam, case.alpha
    statistics, gammas, iterations = reference.vb_step(
        counts, case.documents, lam, alpha, tol, 30, noise
    )
    n_topics, close = alpha.size, CLOSE[dtype]
    mass = counts.sum(axis=1)[case.documents, np.newaxis]
    error = np.abs(inference.gammas[:, :n_topics] - gammas)
    if dtype == "float64":
        assert done == iterations
        assert np.all(error <= close * (1.0 + mass))
    else:
        # Near a saddle point one rounding decides; what must hold is in sum.
        total = inference.gammas[:, :n_topics].sum(axis=1, keepdims=True)
        np.testing.assert_allclose(total, alpha.sum() + mass, rtol=close)
        assert np.median(error / (1.0 + mass)) < 0.05
    into = NaturalParameters(
        np.zeros_like(case.parameters.weights), np.zeros((1, n_topics)), 0.1
    )
    inference.add_statistics(2.5, into, into.totals[0])
    assert not into.weights[:, n_topics:].any()
    np.testing.assert_allclose(
        into.weights.sum(axis=1), 2.5 * statistics.sum(axis=1), rtol=close
    )
    np.testing.assert_allclose(
        into.totals[0], into.weights[:, :n_topics].sum(axis=0), rtol=close
    )
    if dtype == "float64":
        worst = np.abs(into.weights[:, :n_topics] - 2.5 * statistics).max()
        assert worst <= close * (1.0 + mass.max()) * 2.5


@pytest.mark.parametrize("most", [6, 7, 8, 100])
def test_documents_on_few_topics_iterate_on_these_alone(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_topics, rng = 19, np.random.default_rng(0)
    weights = aligned((60, padded_size(n_topics, "float64")), "float64")
    weights[:, :n_topics] = rng.gamma(0.1, 5.0, (60, n_topics))
    parameters = NaturalParameters(weights, np.zeros((1, n_topics)), 0.05)
    parameters.sum_again()
    counts = sp.csr_array(rng.poisson(0.4, (30, 60)).astype(float))
    alpha, documents = np.full(n_topics, 0.1), np.arange(30, dtype=np.int32)
    alone: list[int] = []

    def refine(*given: Any) -> tuple[Array, int]:
        gamma, done = original(*given)
        alone.append(done)
        return gamma, done

    original = reference.refine
    monkeypatch.setattr(reference, "refine", refine)
    lam = 0.05 + weights[:, :n_topics]
    _, gammas, iterations = reference.vb_step(
        counts, documents, lam, alpha, 1e-5, most, 1
    )
    inference = Inference(counts, alpha, 1e-5, most)
    done = inference.infer(documents, parameters, 1.0, 1)
    assert bool(alone) == (most > 6)
    assert done == iterations
    np.testing.assert_allclose(inference.gammas[:, :n_topics], gammas, rtol=1e-8)
    if most == 100:
        assert sum(alone) > iterations / 2


def test_long_steps_lead_where_plain_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    n_topics, rng = 19, np.random.default_rng(0)
    topics = rng.dirichlet(np.full(60, 0.1), n_topics).T
    counts = sp.csr_array(rng.poisson(0.4, (30, 60)).astype(float))
    alpha = np.full(n_topics, 0.1)

    def infer_all(stride: float, momentum: float) -> tuple[Array, int]:
        monkeypatch.setattr(active, "_STRIDE", stride)
        monkeypatch.setattr(active, "_MOMENTUM", momentum)
        gammas, total = [], 0
        for d in range(30):
            words, n = reference.document(counts, d)
            start = np.full(n_topics, n.sum() / n_topics)
            gamma, _, iterations = reference.infer_document(
                n, topics[words], alpha, start, 1e-7, 9999
            )
            gammas.append(gamma)
            total += iterations
        return np.array(gammas), total

    gammas, iterations = infer_all(active._STRIDE, active._MOMENTUM)
    expected, plain = infer_all(1.0, 0.0)
    np.testing.assert_allclose(gammas, expected, atol=1e-4)
    assert iterations < 0.7 * plain


@dtypes
@given(data=st.data())
@settings(max_examples=30)
def test_a_table_of_all_words_gives_the_same(dtype: str, data: st.DataObject) -> None:
    case = data.draw(cases(dtype))
    documents = np.arange(case.counts.shape[0], dtype=np.int32)
    inference, _ = infer(case._replace(documents=documents))
    gammas = inference.gammas.copy()
    table = inference.table(case.parameters, case.scale)
    table.run(0, iter(range(table.n_pieces)))
    for part in np.array_split(documents, 2):
        if part.size:
            inference.infer_with(table, part)
            np.testing.assert_array_equal(inference.gammas, gammas[part])


def test_no_document_iterates_on_rounding() -> None:
    rng = np.random.default_rng(0)
    weights = aligned((300, padded_size(20, "float32")), "float32")
    weights[:, :20] = rng.gamma(0.1, 50.0, (300, 20))
    parameters = NaturalParameters(weights, np.zeros((1, 20)), 0.1)
    parameters.sum_again()
    counts = sp.csr_array(rng.poisson(3.0, (20, 300)).astype(np.float32))
    inference = Inference(counts, np.full(20, 0.1), 1e-9, 5000)
    done = inference.infer(np.arange(20, dtype=np.int32), parameters, 1.0)
    assert inference.converged == 20
    assert done < 20 * 500


@dtypes
def test_statistics_stay_finite_when_their_factors_are_huge(dtype: str) -> None:
    # A word that its document's topics hardly know, deep in a round: the ratio and
    # the step are far from one, their product with the topics is not.
    n_padded, to = padded_size(3, dtype), np.dtype(dtype).type
    topics, e = aligned((1, n_padded), dtype), aligned((1, n_padded), dtype)
    topics[0, :3], e[0, :3] = [1e-30, 2e-30, 0.0], [0.5, 1.0, 8.0]
    sums, into = np.empty(n_padded, dtype), aligned((2, n_padded), dtype)
    totals = np.zeros(3)
    numbers = [np.array([i], np.int32) for i in (1, 1, 0, 0)]
    words, ends, order, owner = numbers
    ratio = np.array([4e29], dtype)
    add_statistics(
        words, ends, order, owner, topics, e, ratio, to(1e12), sums, into, totals
    )
    np.testing.assert_allclose(totals, [2e11, 8e11, 0.0], rtol=1e-5)
    np.testing.assert_allclose(into[1, :3], totals, rtol=1e-5)
    assert not into[0].any()


@dtypes
@given(data=st.data())
def test_entries_are_sorted_by_word(dtype: str, data: st.DataObject) -> None:
    case = data.draw(cases(dtype))
    inference, _ = infer(case)
    inference.add_statistics(1.0, case.parameters, case.parameters.totals[0])
    local, n = inference.local, inference.local.size
    order = inference._order[:n]
    np.testing.assert_array_equal(order, np.argsort(local, kind="stable"))
    lengths = np.diff(case.counts.indptr)[case.documents]
    owner = np.repeat(np.arange(case.documents.size), lengths)
    np.testing.assert_array_equal(inference._owner[:n], owner[order])
    ends = np.cumsum(np.bincount(local, minlength=inference.words.size))
    np.testing.assert_array_equal(inference._ends[: inference.words.size], ends)


@dtypes
@given(data=st.data())
def test_log_mixtures(dtype: str, data: st.DataObject) -> None:
    case = data.draw(cases(dtype))
    inference, _ = infer(case)
    mixtures = np.zeros((case.documents.size, inference.n_padded), dtype)
    mixtures[:, : case.alpha.size] = case.alpha
    out = np.empty(case.documents.size)
    log_mixtures(
        case.counts.indptr,
        case.counts.data,
        case.documents,
        inference.local,
        inference.topics,
        mixtures,
        out,
    )
    rows = case.counts[case.documents].toarray().astype(float)
    logs = np.zeros(rows.shape[1])
    logs[inference.words] = np.log(inference.topics.astype(float) @ mixtures[0])
    np.testing.assert_allclose(out, rows @ logs, rtol=CLOSE[dtype], atol=1e-9)


@dtypes
@given(data=st.data(), rho=st.sampled_from([0.0, 0.05, 0.4]))
@settings(max_examples=60)
def test_cvb0_step(dtype: str, data: st.DataObject, rho: float) -> None:
    case = data.draw(cases(dtype))
    parameters, n_topics = case.parameters, case.alpha.size
    lam = case.lam
    n_padded, to = parameters.weights.shape[1], np.dtype(dtype).type
    doc_prior = np.zeros(n_padded, dtype)
    doc_prior[:n_topics] = case.alpha
    rates = np.array([0.25, 0.2, 0.15], dtype)
    decay, documents = 1.0 - rho, case.documents
    # Without decay the counts are just added, as in batch learning.
    token = 50.0 * rho if rho else 1.0
    cvb0_step(
        case.counts.indptr,
        case.counts.indices,
        case.counts.data,
        documents,
        parameters.weights,
        to(parameters.prior),
        parameters.prior_mass,
        case.scale,
        decay,
        token / (case.scale * decay),
        doc_prior,
        rates,
        parameters.totals,
        parameters.weights,
        parameters.totals[0],
        cvb0_scratch(n_padded, dtype),
    )
    expected = reference.cvb0_step(
        case.counts,
        documents,
        lam,
        parameters.prior,
        case.alpha,
        rates.astype(float),
        rho,
        token,
    )
    scale = case.scale * decay**documents.size
    result = parameters.prior + scale * parameters.weights[:, :n_topics].astype(float)
    np.testing.assert_allclose(result.sum(axis=1), expected.sum(axis=1), rtol=1e-4)
    # A word's share leaves the mixture: what little is left of huge counts is noise in
    # single precision, and keeps half of the digits in double.
    huge = case.counts.max() >= 1e4
    if dtype == "float64" or not huge:
        close = 1e-5 if huge else CLOSE[dtype]
        tolerance = close * (1.0 + expected.max())
        np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance)
    assert not parameters.weights[:, n_topics:].any()
    sums = parameters.weights[:, :n_topics].sum(axis=0, dtype=float)
    np.testing.assert_allclose(parameters.totals[0], sums, rtol=1e-4)
