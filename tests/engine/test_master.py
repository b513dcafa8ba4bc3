"""The master: versions, batches, staleness, and that no data are lost."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.engine import (
    Master,
    Plan,
    Push,
    Receipt,
    Update,
    constant,
    damp_by_staleness,
    robbins_monro,
)
from dpsvi.engine.master import _Seen


class Sum:
    """Parameters are one number; remembers what it was asked to merge."""

    additive = True

    def __init__(self) -> None:
        self.merged: list[tuple[tuple[Any, ...], tuple[float, ...]]] = []

    def initial_parameters(self, rng: np.random.Generator) -> Any:
        return np.zeros(1)

    def open_worker(self, shard: Any, n_threads: int, seed: Any) -> Any:
        raise NotImplementedError

    def merge(
        self, parameters: Any, payloads: Sequence[Any], rates: Sequence[float]
    ) -> Any:
        self.merged.append((tuple(payloads), tuple(rates)))
        for payload, rate in zip(payloads, rates, strict=True):
            parameters += rate * payload
        return parameters


def make_master(**plan: Any) -> Master:
    return Master(Sum(), np.zeros(1), Plan(**{"total_steps": 1000, **plan}))


def make_push(
    worker: int | str = 0,
    sequence: int = 0,
    amount: float = 1.0,
    based_on: int = 0,
    incarnation: str = "a",
    payload: Any = 1.0,
) -> Push:
    update = Update(payload, amount, {"loss": amount})
    return Push(worker, incarnation, sequence, update, based_on, range(2))


def test_snapshots_hand_out_every_step_once() -> None:
    master = make_master(total_steps=10)
    ranges = [master.snapshot(4).steps for _ in range(4)]
    assert ranges == [range(4), range(4, 8), range(8, 10), range(10, 10)]


def test_snapshots_end_at_boundaries() -> None:
    master = make_master(total_steps=10, boundaries=4)
    ranges = [master.snapshot(3).steps for _ in range(5)]
    assert ranges == [range(3), range(3, 4), range(4, 7), range(7, 8), range(8, 10)]


def test_boundaries_count_the_steps_of_an_earlier_run() -> None:
    master = make_master(total_steps=12, boundaries=4, steps_before=6)
    ranges = [master.snapshot(3).steps for _ in range(4)]
    assert ranges == [range(6, 8), range(8, 11), range(11, 12), range(12, 12)]
    assert master.counters.clock == 6


def test_a_round_that_was_broken_off_ends_where_it_was_to_end() -> None:
    master = make_master(total_steps=20, boundaries=8, steps_before=10)
    ranges = [master.snapshot(3, shared=True).steps for _ in range(4)]
    assert ranges == [range(10, 11), range(11, 14), range(14, 16), range(16, 19)]


def test_a_stopped_master_hands_out_nothing_and_refuses_pushes() -> None:
    master = make_master()
    master.stop("first")
    master.stop("second")
    assert master.stopped == "first"
    assert not master.snapshot(3).steps
    assert master.receive(make_push(amount=5.0)) == Receipt("stopped", 0, 0)
    assert master.counters.dropped == 5.0
    assert master.counters.accepted == 0.0


def test_exactly_m_pushes_make_a_version() -> None:
    master = make_master(master_batch_size=3)
    versions = [master.receive(make_push(worker)).version for worker in range(7)]
    assert versions == [0, 0, 1, 1, 1, 2, 2]
    assert master.counters.pending == 1.0
    assert master.flush()
    assert not master.flush()
    assert (master.version, master.counters.pending) == (3, 0.0)
    assert [len(payloads) for payloads, _ in master.problem.merged] == [3, 3, 1]


def test_default_batch_is_the_number_of_workers() -> None:
    master = make_master(n_workers=2)
    assert master.receive(make_push(0)).version == 0
    assert master.receive(make_push(1)).version == 1


def test_a_repeated_push_is_a_duplicate_within_its_incarnation() -> None:
    master = make_master()
    assert master.receive(make_push()).status == "accepted"
    assert master.receive(make_push(based_on=1)).status == "duplicate"
    assert master.receive(make_push(worker=1)).status == "accepted"
    assert master.receive(make_push(incarnation="b")).status == "accepted"
    assert master.counters.pushes == 3
    assert master.counters.duplicates == 1
    assert master.parameters == 3.0


def test_pushes_may_arrive_out_of_turn() -> None:
    master = make_master()
    statuses = [
        master.receive(make_push(sequence=sequence)).status
        for sequence in (2, 0, 2, 1, 0, 3)
    ]
    expected = ["accepted"] * 2 + ["duplicate", "accepted", "duplicate", "accepted"]
    assert statuses == expected


@given(st.lists(st.integers(0, 12)))
def test_seen_numbers_are_a_set(numbers: list[int]) -> None:
    seen, reference = _Seen(), set()
    for number in numbers:
        assert seen.add(number) == (number not in reference)
        reference.add(number)
    assert reference == set(range(seen.below)) | seen.early


def test_too_stale_pushes_are_dropped() -> None:
    master = make_master(max_staleness=1)
    for sequence in range(2):
        master.receive(make_push(sequence=sequence, based_on=sequence))
    assert master.receive(make_push(1, based_on=1)) == Receipt("accepted", 3, 1)
    receipt = master.receive(make_push(2, based_on=1, amount=7.0))
    assert receipt == Receipt("too_stale", 3, 2)
    assert master.counters.dropped == 7.0
    assert master.counters.too_stale == 1


def test_staleness_damps_the_rate_of_its_push_alone() -> None:
    master = make_master(
        master_batch_size=2,
        admission=damp_by_staleness(1.0),
        global_rate=constant(0.5),
    )
    master.receive(make_push(0))
    master.receive(make_push(1))
    master.receive(make_push(2, based_on=0, payload=10.0))
    master.receive(make_push(3, based_on=1, payload=20.0))
    assert master.problem.merged[1] == ((10.0, 20.0), (0.25, 0.5))


def test_mean_divides_the_rate_by_m() -> None:
    master = make_master(
        master_batch_size=4, aggregate="mean", global_rate=robbins_monro(1.0, 1.0)
    )
    for worker in range(8):
        master.receive(make_push(worker))
    assert [rates for _, rates in master.problem.merged] == [(0.25,) * 4, (0.125,) * 4]


def test_the_report_is_about_the_last_merge() -> None:
    master = make_master(master_batch_size=2)
    assert master.report is None
    for worker in range(2):
        master.receive(make_push(worker, amount=1.0))
    master.receive(make_push(2, based_on=0, amount=2.0))
    master.receive(make_push(3, based_on=1, amount=4.0))
    report = master.report
    assert report is not None
    assert (report.version, report.steps, report.amount) == (2, 8, 8.0)
    assert (report.staleness_mean, report.staleness_max) == (0.5, 1)
    assert report.statistics == {"loss": 4.0}


def test_an_update_without_payload_counts_and_is_not_merged() -> None:
    master = make_master()
    master.receive(make_push(payload=None, amount=3.0))
    assert master.version == 1
    assert master.counters.merged == 3.0
    assert master.problem.merged == []


@pytest.mark.parametrize(
    "plan",
    [
        {"master_batch_size": 2},
        {"global_rate": constant(0.5)},
        {"global_rate": robbins_monro(1.0, 1.0)},
        {"admission": lambda staleness: 0.5},
    ],
)
def test_sharing_needs_plain_sums(plan: dict[str, Any]) -> None:
    assert make_master().can_share
    assert make_master().snapshot(1, shared=True).shared
    master = make_master(**plan)
    assert not master.can_share
    with pytest.raises(ValueError, match="a shared snapshot needs an additive"):
        master.snapshot(1, shared=True)


def test_misuse_is_refused() -> None:
    master = make_master()
    with pytest.raises(ValueError, match="at least one step"):
        master.snapshot(0)
    with pytest.raises(ValueError, match="belongs to another run"):
        master.receive(make_push(based_on=1))
    with pytest.raises(ValueError, match="weights must be between 0 and 1"):
        make_master(admission=lambda staleness: 2.0).receive(make_push())
    with pytest.raises(ValueError, match="rates must be finite and above 0"):
        make_master(global_rate=lambda version: 0.0).receive(make_push())


def test_a_master_in_mid_run_survives_pickling() -> None:
    master = make_master(master_batch_size=2, max_staleness=3)
    master.receive(make_push(0, amount=2.0))
    copy = pickle.loads(pickle.dumps(master))
    for one in (master, copy):
        assert one.receive(make_push(0)).status == "duplicate"
        assert one.receive(make_push(1)).version == 1
    assert copy.counters == master.counters
    assert copy.report == master.report


def test_messages_survive_pickling() -> None:
    for message in (make_push(), make_master().snapshot(3), Receipt("accepted", 1, 0)):
        assert pickle.loads(pickle.dumps(message)) == message


@given(
    merge_size=st.integers(1, 4),
    max_staleness=st.none() | st.integers(0, 3),
    events=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["push", "again", "pull"])),
        max_size=60,
    ),
)
def test_any_interleaving_conserves_data(
    merge_size: int, max_staleness: int | None, events: list[tuple[int, str]]
) -> None:
    master = make_master(master_batch_size=merge_size, max_staleness=max_staleness)
    based_on, sequence = [0] * 4, [0] * 4
    sent = 0.0
    for number, (worker, event) in enumerate(events):
        if event == "pull":
            based_on[worker] = master.snapshot(1).version
            continue
        fresh = event == "push" or sequence[worker] == 0
        # Amounts are powers of 2: any loss or doubling shows in the sum, exactly.
        amount = 2.0 ** (number % 50)
        push = make_push(
            worker, sequence[worker] - (not fresh), amount, based_on[worker]
        )
        version = master.version
        receipt = master.receive(push)
        assert receipt.staleness == version - based_on[worker]
        assert (receipt.status == "duplicate") == (not fresh)
        sequence[worker] += fresh
        sent += amount * fresh
        counters = master.counters
        assert counters.accepted == counters.merged + counters.pending
        assert counters.accepted + counters.dropped == sent
        assert counters.pushes // merge_size == master.version
    assert {len(payloads) for payloads, _ in master.problem.merged} <= {merge_size}
    master.flush()
    assert master.counters.merged == master.counters.accepted
    assert master.parameters == master.counters.pushes
