"""The law of threads, and its constants found again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.theory.speedup import ThreadScaling, fit_threads

shares = st.floats(0.0, 0.3)


def test_the_law_is_the_universal_scalability_law() -> None:
    scaling = ThreadScaling(contention=0.1, coherence=0.02)
    assert scaling(1) == 1
    assert scaling(3) == pytest.approx(3 / (1 + 0.1 * 2 + 0.02 * 3 * 2))
    assert ThreadScaling()(7) == 7


def test_a_third_thread_on_a_core_adds_nothing() -> None:
    scaling = ThreadScaling(cores=2, smt=0.25)
    assert [scaling(p) for p in (2, 3, 4, 5, 100)] == [2.0, 2.25, 2.5, 2.5, 2.5]


@given(contention=shares, coherence=st.floats(0.0, 0.05))
def test_a_fit_finds_the_constants(contention: float, coherence: float) -> None:
    law = ThreadScaling(contention=contention, coherence=coherence)
    numbers = [1, 2, 4, 8]
    found = fit_threads(numbers, [123.0 * law(p) for p in numbers])
    assert found.contention == pytest.approx(contention, abs=1e-9)
    assert found.coherence == pytest.approx(coherence, abs=1e-9)


@given(contention=shares, smt=st.floats(0.0, 1.0))
def test_a_fit_finds_what_threads_beyond_the_cores_add(
    contention: float, smt: float
) -> None:
    law = ThreadScaling(contention=contention, cores=4, smt=smt)
    numbers = [1, 2, 4, 6, 8]
    found = fit_threads(numbers, [law(p) for p in numbers], cores=4)
    assert found.contention == pytest.approx(contention, abs=1e-9)
    assert found.smt == pytest.approx(smt, abs=1e-6)
    assert found(8) == pytest.approx(law(8))


def test_two_measurements_are_taken_for_contention() -> None:
    found = fit_threads([1, 2], [10.0, 16.0])
    assert found.contention == pytest.approx(2 / 1.6 - 1)
    assert found.coherence == 0


@given(
    st.lists(st.floats(0.2, 9.0), min_size=2, max_size=6).map(
        lambda rates: (range(1, len(rates) + 1), rates)
    )
)
def test_no_measurement_gives_a_law_that_is_out_of_range(
    measured: tuple[range, list[float]],
) -> None:
    found = fit_threads(*measured)
    assert 0 <= found.contention <= 1
    assert 0 <= found.coherence <= 1
    assert found(1) == 1


def test_threads_faster_than_their_number_are_taken_for_perfect() -> None:
    found = fit_threads([1, 2, 4], [1.0, 2.2, 4.6])
    assert (found.contention, found.coherence) == (0, 0)


def test_one_thread_alone_says_nothing() -> None:
    assert fit_threads([1], [5.0]) == ThreadScaling()


@pytest.mark.parametrize(
    ("numbers", "rates", "message"),
    [
        ([1, 2], [1.0], "2 numbers of threads for 1 throughputs"),
        ([1, 2], [1.0, 0.0], "above 0"),
        ([1, 2], [1.0, float("inf")], "finite"),
        ([2, 4], [1.0, 2.0], "lacks 1"),
    ],
)
def test_measurements_that_do_not_fit_are_refused(
    numbers: list[int], rates: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit_threads(numbers, rates)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"contention is 1\.5"):
        ThreadScaling(contention=1.5)
    with pytest.raises(ValueError, match="cores is 0"):
        ThreadScaling(cores=0)
    with pytest.raises(ValueError, match="n_threads is 0"):
        ThreadScaling()(0)
