"""Kernels with a prior for each word, and what they gather about the documents'."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
import scipy.sparse as sp
from scipy.special import psi

from dpsvi.models.arrays import aligned, padded_size
from dpsvi.models.conjugate import NaturalParameters
from dpsvi.models.lda.inference import Inference
from dpsvi.models.lda.kernels.cvb0 import cvb0_scratch, cvb0_step
from dpsvi.models.lda.kernels.tables import EVERY, add_tables
from dpsvi.models.lda.priors import Learned, gathering

Array = npt.NDArray[Any]
N_TOPICS, N_WORDS = 5, 23
ALPHA = np.array([0.02, 0.1, 0.3, 0.7, 2.0])
DOCUMENTS = np.arange(12, dtype=np.int32)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def slow_tables(counts: Array, alpha: Array) -> Array:
    """What `add_tables` adds for one document."""
    some = -np.expm1(-counts)
    average = np.divide(counts, some, out=np.ones_like(counts), where=counts > 0)
    tables = some * alpha * (psi(alpha + average) - psi(alpha))
    total = alpha.sum()
    return np.append(tables, psi(total + counts.sum()) - psi(total))


def make_case(dtype: str) -> tuple[sp.csr_array, NaturalParameters, NaturalParameters]:
    """Documents; λ with a prior for each entry, and with none of it."""
    rng = np.random.default_rng(0)
    counts = sp.csr_array(rng.poisson(0.5, (12, N_WORDS)).astype(dtype))
    shape = (N_WORDS, padded_size(N_TOPICS, dtype))
    weights, prior, both = (aligned(shape, dtype) for _ in range(3))
    weights[:, :N_TOPICS] = rng.gamma(0.3, 4.0, (N_WORDS, N_TOPICS))
    prior[:, :N_TOPICS] = rng.gamma(0.5, 1.0, (N_WORDS, N_TOPICS)) + 0.05
    # At scale 1/2.
    both[:] = weights + 2 * prior
    own = NaturalParameters(weights, np.zeros((1, N_TOPICS)), prior)
    within = NaturalParameters(both, np.zeros((1, N_TOPICS)), 0.0)
    own.sum_again()
    within.sum_again()
    return counts, own, within


def infer(
    counts: sp.csr_array, parameters: NaturalParameters, iterations: int
) -> Inference:
    inference = Inference(counts, ALPHA, 0.0, iterations)
    inference.infer(DOCUMENTS, parameters, 0.5)
    return inference


def cvb0(
    counts: sp.csr_array, parameters: NaturalParameters, **more: Any
) -> NaturalParameters:
    """Add the documents' counts, without decay, to parameters that start at zero.

    Or, given in `more`, to others; `of` other documents.
    """
    dtype, n_padded = counts.dtype, parameters.weights.shape[1]
    doc_prior = np.zeros(n_padded, dtype)
    doc_prior[:N_TOPICS] = ALPHA
    zeros = np.zeros_like(parameters.weights)
    into = more.get("into", NaturalParameters(zeros, np.zeros((1, N_TOPICS)), 0.0))
    cvb0_step(
        counts.indptr, counts.indices, counts.data, more.get("of", DOCUMENTS),
        parameters.weights, parameters.prior_of(slice(None)), parameters.prior_mass,
        0.5, 1.0, more.get("mass", 1.0), doc_prior, np.array([0.2, 0.1], dtype),
        parameters.totals, into.weights, into.totals[0],
        cvb0_scratch(n_padded, dtype, more.get("learning")),
    )  # fmt: skip
    return into


@dtypes
def test_a_prior_for_each_word_is_a_part_of_lambda(dtype: str) -> None:
    counts, own, within = make_case(dtype)
    np.testing.assert_allclose(own.value(np.log(0.5)), within.value(np.log(0.5)))
    one, two = infer(counts, own, 3), infer(counts, within, 3)
    np.testing.assert_allclose(one.topics, two.topics, rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(one.gammas, two.gammas, rtol=1e-4)
    first, second = cvb0(counts, own), cvb0(counts, within)
    np.testing.assert_allclose(first.weights, second.weights, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first.totals, second.totals, rtol=1e-5)
    assert first.weights[:, :N_TOPICS].sum() == pytest.approx(counts.sum(), rel=1e-5)


@dtypes
def test_one_number_for_all_words_is_as_good_as_an_array(dtype: str) -> None:
    counts, own, _ = make_case(dtype)
    number = NaturalParameters(own.weights, own.totals, 0.3)
    array = aligned(own.weights.shape, dtype)
    array[:, :N_TOPICS] = 0.3
    alike = NaturalParameters(own.weights, own.totals, array)
    np.testing.assert_allclose(alike.prior_mass, number.prior_mass)
    np.testing.assert_allclose(
        infer(counts, alike, 4).gammas, infer(counts, number, 4).gammas, rtol=1e-4
    )
    expected = cvb0(counts, number).weights
    np.testing.assert_allclose(cvb0(counts, alike).weights, expected, atol=1e-5)
    expected[:] = number.value(-0.7).base
    np.testing.assert_allclose(alike.value(-0.7), number.value(-0.7), rtol=1e-6)


@pytest.mark.parametrize("level", [1e-4, 0.01, 1.0, 50.0])
def test_tables_of_a_document(level: float) -> None:
    counts = np.array([0.0, 1e-6, 1e-3, 0.3, 0.999, 1.001, 7.0, 1e4])
    alpha = level * np.linspace(0.5, 2.0, counts.size)
    learning = gathering(alpha, Learned(doc_topic=True))
    for _ in range(2):
        add_tables(
            (2 * counts).astype(np.float32), 0.5, learning.prior, learning.psi_prior,
            counts.size, learning.tables,
        )  # fmt: skip
    expected = 2 * slow_tables(counts, alpha)
    np.testing.assert_allclose(learning.tables, expected, rtol=1e-4, atol=1e-9)
    # A word that is there for sure is one table; there cannot be more than words.
    assert np.all(learning.tables[:-1] <= 2 * counts + 1e-6)


def test_nothing_is_gathered_unless_it_is_learned() -> None:
    assert gathering(ALPHA, Learned(topic_word=True)).tables.size == 0
    assert gathering(ALPHA, Learned()).tables.size == 0


@dtypes
def test_variational_inference_gathers_tables(dtype: str) -> None:
    counts, own, _ = make_case(dtype)
    inference = infer(counts, own, 4)
    learning = gathering(ALPHA, Learned(doc_topic=True))
    inference.add_tables(learning)
    expected = sum(
        slow_tables(np.maximum(gamma - ALPHA, 0.0), ALPHA)
        for gamma in inference.gammas[::EVERY, :N_TOPICS].astype(float)
    )
    np.testing.assert_allclose(learning.tables, expected, rtol=1e-4)


@dtypes
def test_collapsed_inference_gathers_tables(dtype: str) -> None:
    counts, own, _ = make_case(dtype)
    learning = gathering(ALPHA, Learned(doc_topic=True))
    with_tables = cvb0(counts, own, learning=learning)
    np.testing.assert_array_equal(with_tables.weights, cvb0(counts, own).weights)
    expected = sum(
        slow_tables(cvb0(counts, own, of=DOCUMENTS[d : d + 1]).totals[0], ALPHA)
        for d in range(0, 12, EVERY)
    )
    np.testing.assert_allclose(learning.tables, expected, rtol=1e-4)


def test_collapsed_inference_agrees_with_the_slow_reference() -> None:
    counts, own, within = make_case("float64")
    rates, log_half = np.array([0.2, 0.1]), np.log(0.5)
    expected = reference.cvb0_step(
        counts, DOCUMENTS, within.value(log_half), 0.0, ALPHA, rates, 0.0, 1.0
    )
    # One count is two weights at scale 1/2.
    cvb0(counts, own, into=own, mass=2.0)
    np.testing.assert_allclose(own.value(log_half), expected, rtol=1e-6)
