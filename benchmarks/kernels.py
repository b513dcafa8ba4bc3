"""Speed of the inner loops against what one core can do.

Prints a Markdown table: GFLOP/s of each kernel and its share of the core's measured
peak, and the rate at which rows are read, against measured memory bandwidth.

    python benchmarks/kernels.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from scipy import sparse

from dpsvi.compiling import FASTMATH
from dpsvi.models.arrays import aligned, padded_size
from dpsvi.models.conjugate import NaturalParameters
from dpsvi.models.lda.inference import Inference
from dpsvi.models.lda.kernels.cvb0 import cvb0_scratch, cvb0_step
from dpsvi.models.lda.kernels.special import exp_psi_each

K, WORDS_PER_DOCUMENT, DOCUMENTS = 100, 120, 512
_FLAGS = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}


@njit(**_FLAGS)
def _multiply_add(repeats: int, u: Any, v: Any, w: Any, y: Any) -> None:
    """Chains of multiply-adds, enough of them side by side to hide their latency."""
    for _ in range(repeats):
        for i in range(y.size):
            c = y[i]
            a, b, d = u[i], v[i], w[i]
            for _ in range(16):
                a = a * c + c
                b = b * c + c
                d = d * c + c
            u[i], v[i], w[i] = a, b, d


@njit(**_FLAGS)
def _sum(x: Any) -> Any:
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i]
    return total


def best_seconds(call: Callable[[], Any], repeats: int = 7) -> float:
    """Shortest time of a call, after one that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def peak_gflops() -> float:
    """Float32 multiply-adds of one core, in GFLOP/s."""
    arrays = [np.full(256, 0.5, np.float32) for _ in range(4)]
    repeats = 50_000
    seconds = best_seconds(lambda: _multiply_add(repeats, *arrays))
    return 2 * 3 * 16 * 256 * repeats / seconds / 1e9


def read_gbytes(megabytes: float) -> float:
    """Streaming read of an array of a given size, in GB/s."""
    x = np.ones(int(megabytes * 2**20 / 4), np.float32)
    times = max(1, int(256 / megabytes))
    seconds = best_seconds(lambda: [_sum(x) for _ in range(times)])
    return times * x.nbytes / seconds / 1e9


def random_corpus(n_words: int) -> sparse.csr_array:
    """Documents of distinct words, drawn with Zipf's law."""
    rng = np.random.default_rng(0)
    weight = 1.0 / np.arange(1, n_words + 1)
    weight /= weight.sum()
    rows = [
        np.sort(rng.choice(n_words, WORDS_PER_DOCUMENT, replace=False, p=weight))
        for _ in range(DOCUMENTS)
    ]
    indptr = np.arange(DOCUMENTS + 1) * WORDS_PER_DOCUMENT
    data = np.ones(indptr[-1], np.float32)
    shape = (DOCUMENTS, n_words)
    return sparse.csr_array((data, np.concatenate(rows), indptr), shape)


def random_topics(n_words: int) -> NaturalParameters:
    """λ with padding, as in a fit."""
    weights = aligned((n_words, padded_size(K, np.float32)), np.float32)
    weights[:, :K] = np.random.default_rng(0).random((n_words, K), np.float32)
    parameters = NaturalParameters(weights, np.zeros((1, K)), 0.01)
    parameters.sum_again()
    return parameters


def vb_seconds(n_words: int, iterations: int) -> float:
    """Seconds per document of inference alone, at a fixed number of iterations."""
    corpus, topics = random_corpus(n_words), random_topics(n_words)
    inference = Inference(corpus, np.full(K, 0.1), 0.0, iterations)
    batch = np.arange(DOCUMENTS, dtype=np.int32)
    return best_seconds(lambda: inference.infer(batch, topics, 1.0)) / DOCUMENTS


def cvb0_seconds(n_words: int) -> float:
    """Seconds per document of a whole zero-order step."""
    corpus, topics = random_corpus(n_words), random_topics(n_words)
    prior = np.zeros(topics.weights.shape[1], np.float32)
    prior[:K] = 0.1
    scratch = cvb0_scratch(prior.size, np.float32)
    rates = np.full(WORDS_PER_DOCUMENT, 0.1, np.float32)
    batch = np.arange(DOCUMENTS, dtype=np.int32)

    def step() -> None:
        cvb0_step(
            corpus.indptr, corpus.indices, corpus.data, batch, topics.weights,
            np.float32(0.01), topics.prior_mass, 1.0, 1.0 - 1e-9, 1e-9, prior, rates,
            topics.totals, topics.weights, topics.totals[0], scratch,
        )  # fmt: skip

    return best_seconds(step) / DOCUMENTS


def main() -> None:
    """Measure and print."""
    peak = peak_gflops()
    bandwidth = {size: read_gbytes(size) for size in (0.25, 8, 512)}
    print(f"one core: {peak:.0f} GFLOP/s float32 multiply-add;", end=" ")
    print(", ".join(f"{v:.0f} GB/s from {k} MB" for k, v in bandwidth.items()))
    print("\n| kernel | V | us per document | GFLOP/s | of peak | rows read, GB/s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    padded = padded_size(K, np.float32)
    row_bytes = padded * 4 * WORDS_PER_DOCUMENT

    def line(
        name: str, n_words: int, seconds: float, flops: float, reads: float
    ) -> None:
        gflops = flops / seconds / 1e9
        rate = reads * row_bytes / seconds / 1e9
        print(
            f"| {name} | {n_words:,} | {seconds * 1e6:.2f} | {gflops:.1f} | "
            f"{gflops / peak:.0%} | {rate:.1f} |"
        )

    for n_words in (5_000, 100_000):
        one, many = vb_seconds(n_words, 1), vb_seconds(n_words, 21)
        flops = 4.0 * padded * WORDS_PER_DOCUMENT
        line("vb, one iteration", n_words, (many - one) / 20, flops, 1)
        line("vb, the rest (without statistics)", n_words, one, flops, 1)
        # Two products in the first pass, four and three sums in the second.
        line("cvb0, a document", n_words, cvb0_seconds(n_words), 13.0 / 4 * flops, 2)
    x = np.linspace(0.1, 10.0, 4096, dtype=np.float32)
    out = np.empty_like(x)
    each = best_seconds(lambda: exp_psi_each(x, out)) / x.size
    print(f"\nexp(psi(x)): {each * 1e9:.2f} ns per number")


if __name__ == "__main__":
    main()
