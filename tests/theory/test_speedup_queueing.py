"""Mean value analysis against what is known of closed networks exactly."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsvi.theory.speedup import knee, largest_throughput, mean_values

seconds = st.floats(0.01, 10.0)
places = st.lists(seconds, min_size=1, max_size=3)


def repairman(n: int, think: float, service: float) -> float:
    """Throughput of M/M/1//N: one server, n machines, by its birth and death."""
    weights = [
        math.perm(n, waiting) * (service / think) ** waiting for waiting in range(n + 1)
    ]
    return (1 - weights[0] / sum(weights)) / service


def product_form(n: int, think: float, demands: list[float]) -> float:
    """Throughput as G(n - 1) / G(n), every state counted."""

    def constant(k: int) -> float:
        total = 0.0
        for resting in range(k + 1):
            states = combinations_with_replacement(demands, k - resting)
            queued = sum(math.prod(state) for state in states)
            total += think**resting / math.factorial(resting) * queued
        return total

    return constant(n - 1) / constant(n)


@given(n=st.integers(1, 12), think=seconds, service=seconds)
def test_one_place_is_the_machine_repairman(
    n: int, think: float, service: float
) -> None:
    found = mean_values(n, think, service)
    assert found.throughput[-1] == pytest.approx(repairman(n, think, service))


@given(n=st.integers(1, 6), think=seconds, demands=places)
def test_several_places_have_the_product_form(
    n: int, think: float, demands: list[float]
) -> None:
    found = mean_values(n, think, demands)
    expected = [product_form(k, think, demands) for k in range(1, n + 1)]
    assert found.throughput == pytest.approx(expected)


@given(n=st.integers(1, 8), think=seconds, demands=places, parts=st.integers(1, 4))
def test_equal_visits_to_a_place_are_one_long_visit(
    n: int, think: float, demands: list[float], parts: int
) -> None:
    whole = mean_values(n, think, demands)
    split = mean_values(n, think, [[s / parts] * parts for s in demands])
    assert split.throughput == pytest.approx(whole.throughput)
    assert split.queue == pytest.approx(whole.queue)


@settings(max_examples=50)
@given(
    n=st.integers(1, 20),
    think=st.floats(0.0, 10.0),
    visits=st.lists(st.lists(seconds, min_size=1, max_size=3), min_size=1, max_size=3),
    spread=st.floats(0.0, 1.0),
)
def test_everybody_is_somewhere_and_no_bound_is_broken(
    n: int, think: float, visits: list[list[float]], spread: float
) -> None:
    found = mean_values(n, think, visits, service_spread=spread)
    for k in range(1, n + 1):
        rate = found.throughput[k - 1]
        # Little's law for the whole network.
        assert rate * think + found.queue[k - 1].sum() == pytest.approx(k)
        assert rate * (think + found.response[k - 1]) == pytest.approx(k)
        assert rate <= largest_throughput(k, think, visits) * (1 + 1e-9)
    assert found.busy.max() <= 1 + 1e-9
    assert (found.queue >= found.busy * (1 - 1e-6)).all()
    assert (found.throughput[1:] >= found.throughput[:-1] * (1 - 1e-9)).all()


def test_services_that_vary_less_are_waited_for_less() -> None:
    rates = [
        mean_values(6, 1.0, 0.15, service_spread=spread).throughput[-1]
        for spread in (0.0, 0.5, 1.0)
    ]
    assert rates[0] > rates[1] > rates[2]


def test_a_short_pull_waits_behind_long_pushes() -> None:
    together = mean_values(4, 0.05, [0.02], service_spread=0).throughput[-1]
    apart = mean_values(4, 0.05, [[0.02, 0.0]], service_spread=0).throughput[-1]
    assert apart < 0.9 * together


def test_many_workers_saturate_the_busiest_place() -> None:
    found = mean_values(400, 1.0, [0.02, 0.05])
    assert found.throughput[-1] == pytest.approx(20.0, rel=1e-6)
    assert found.busy[-1] == pytest.approx([0.4, 1.0], rel=1e-6)
    assert found.throughput[0] == pytest.approx(1 / 1.07)


@given(think=seconds, demands=places)
def test_the_knee_is_where_the_two_bounds_meet(
    think: float, demands: list[float]
) -> None:
    many = knee(think, demands)
    below, above = math.floor(many), math.ceil(many) + 1
    if below:
        alone = largest_throughput(1, think, demands)
        assert largest_throughput(below, think, demands) == pytest.approx(below * alone)
    most = largest_throughput(above, think, demands)
    assert most == pytest.approx(1 / max(demands))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_workers": 0}, "n_workers is 0"),
        ({"think": -1.0}, "think is -1.0"),
        ({"think": math.inf}, "think is inf"),
        ({"services": 0.0}, "services is 0.0"),
        ({"services": []}, "give a number for each place"),
        ({"services": [[0.2, -0.1]]}, "seconds are at least 0"),
        ({"service_spread": 1.5}, "service_spread is 1.5"),
    ],
)
def test_numbers_out_of_range_are_refused(
    given: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        mean_values(**{"n_workers": 2, "think": 1.0, "services": 0.1, **given})
