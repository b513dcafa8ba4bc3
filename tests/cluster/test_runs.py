"""Runs on a healthy cluster: the same results, and nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gates
import lda_replay as replay
import numpy as np
import pytest
from toy_problems import Counting

from dpsvi.engine import Plan, Replay, run
from dpsvi.engine.backends.dask import Dask, MasterHandle
from dpsvi.engine.backends.dask.host import HOST_NAME
from dpsvi.engine.backends.dask.wire import check_reply, pack
from dpsvi.engine.master import Master
from dpsvi.engine.problem import Push, Update


def sessions(client: Any) -> int:
    """Runs that the scheduler still knows."""

    def count(dask_scheduler: Any) -> int:
        return len(dask_scheduler.plugins[HOST_NAME]._sessions)

    return int(client.run_on_scheduler(count))


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
def test_one_worker_is_the_local_backend(cluster_client: Any, inference: str) -> None:
    counts = replay.make_counts()
    rates = (2.0 + np.arange(30)) ** -0.7
    problem = replay.make_problem(rates, counts.shape[0], inference=inference)
    plan = Plan(total_steps=30, seed=3)
    here = run(problem, [counts], plan)
    there = run(problem, [counts], plan, backend=Dask(cluster_client))
    now = float(problem.clock.log_scale[30])
    np.testing.assert_allclose(
        there.parameters.value(now), here.parameters.value(now), rtol=1e-9
    )
    expected = replay.svi(problem, counts, plan)
    np.testing.assert_allclose(there.parameters.value(now), expected, rtol=1e-9)
    assert there.history["staleness_max"].max() == 0


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
@pytest.mark.parametrize("merge_size", [1, 2])
def test_a_run_is_repeated_from_its_log(
    cluster_client: Any, tmp_path: Path, inference: str, merge_size: int
) -> None:
    counts = replay.make_counts(120, 40, length=20)
    rates = (2.0 + np.arange(90)) ** -0.6
    plain = replay.make_problem(rates, 120, n_words=40, inference=inference)
    problem = gates.Together(**vars(plain), folder=tmp_path, n_workers=3)
    plan = Plan(
        total_steps=90,
        n_workers=3,
        local_steps=2,
        longest_local_steps=4,
        master_batch_size=merge_size,
        max_staleness=4,
        keep_log=True,
        seed=3,
    )
    shards = [counts[i::3] for i in range(3)]
    there = run(problem, shards, plan, backend=Dask(cluster_client))
    again = run(problem, shards, plan, backend=Replay(there.log))
    assert again.log == there.log
    assert again.counters == there.counters
    np.testing.assert_array_equal(
        again.history["staleness_max"], there.history["staleness_max"]
    )
    np.testing.assert_array_equal(again.parameters.weights, there.parameters.weights)
    assert {arrival.worker for arrival in there.log} == {0, 1, 2}
    with pytest.raises(ValueError, match="there are 1 shards"):
        run(plain, shards[:1], Plan(total_steps=90), backend=Replay(there.log))


def test_bytes_follow_the_words_of_a_round(cluster_client: Any) -> None:
    # The same documents in a vocabulary of a hundred times the size.
    sizes = []
    for n_words in (400, 40_000):
        counts = replay.make_counts(60, 400, length=20)
        counts.resize(60, n_words)
        problem = replay.make_problem(np.full(15, 0.1), 60, n_words=n_words)
        plan = Plan(total_steps=15, seed=0)
        result = run(problem, [counts], plan, backend=Dask(cluster_client))
        sizes.append(result.history["bytes"][-1])
        assert np.all(np.diff(result.history["bytes"]) > 0)
    assert sizes[1] < 1.1 * sizes[0]


def test_snapshots_are_of_one_version(cluster_client: Any) -> None:
    plan = Plan(total_steps=200, n_workers=3, master_batch_size=1, seed=0)
    problem = gates.Flat(100_000)
    result = run(problem, [None] * 3, plan, backend=Dask(cluster_client))
    assert result.reason == "completed"
    assert np.ptp(result.parameters) == 0


def test_the_monitor_sees_parameters_of_a_known_moment(cluster_client: Any) -> None:
    seen = []

    def monitor(progress: Any) -> None:
        # Every step adds one to the last cell.
        seen.append((progress.parameters[-1], progress.parameters_clock))
        assert progress.parameters_clock >= progress.clock

    plan = Plan(total_steps=20, n_workers=2, seed=0)
    run(Counting(20), [None] * 2, plan, backend=Dask(cluster_client), monitor=monitor)
    assert len(seen) == 10
    # Two pushes of one step make a version, and all lie before its place.
    assert all(cell <= clock <= cell + 2 for cell, clock in seen)


def test_a_time_limit_ends_rounds_too(cluster_client: Any, tmp_path: Path) -> None:
    # One round of a quarter of an hour.
    plan = Plan(total_steps=10**5, local_steps=10**5, max_time=0.5, seed=0)
    problem = Counting(10**5, before_step=gates.Trace(tmp_path))
    result = run(problem, [None], plan, backend=Dask(cluster_client))
    assert result.reason == "max_time"
    assert 0 < result.counters.merged < 10**4
    assert result.parameters[-1] == result.counters.merged


def test_what_is_under_way_at_the_time_limit_is_kept(
    cluster_client: Any, tmp_path: Path
) -> None:
    # Neither of the rounds would end in time.
    plan = Plan(
        total_steps=10**6,
        n_workers=2,
        local_steps=10**5,
        max_time=1.0,
        master_batch_size=1,
    )
    problem = Counting(10**6, before_step=gates.Trace(tmp_path))
    result = run(problem, [None] * 2, plan, backend=Dask(cluster_client))
    assert result.reason == "max_time"
    assert result.counters.dropped == 0
    assert result.counters.pushes == 2
    assert result.parameters[-1] == result.counters.merged > 0


def test_a_lost_reply_to_a_pull_costs_no_steps(cluster_client: Any) -> None:
    handle = MasterHandle(cluster_client)
    handle.open(Master(Counting(9), np.zeros(10), Plan(total_steps=9)))
    address = next(iter(cluster_client.scheduler_info(n_workers=-1)["workers"]))

    def call(name: str, **content: Any) -> Any:
        rpc = getattr(cluster_client.scheduler, f"dpsvi_{name}")
        reply = cluster_client.sync(
            rpc, session=handle.session, incarnation="a", **content
        )
        return check_reply(reply, name)

    def pull(number: int) -> range:
        pulled = call("pull", number=number, n_steps=2, request=pack(None)[0])
        return pulled["snapshot"].steps

    try:
        call("join", slot=0, address=address)
        steps = [pull(number) for number in (1, 1, 2, 2, 3)]
    finally:
        handle.drop()
    assert steps == [range(2), range(2), range(2, 4), range(2, 4), range(4, 6)]


@pytest.mark.parametrize("where", ["step", "monitor"])
def test_a_file_that_is_missing_is_no_lost_connection(
    cluster_client: Any, where: str
) -> None:
    def monitor(progress: Any) -> None:
        raise FileNotFoundError("no such file")

    problem = Counting(9)
    if where == "step":
        problem = Counting(9, before_step=gates.Missing())
    with pytest.raises(FileNotFoundError, match="no such file"):
        run(
            *(problem, [None], Plan(total_steps=9)),
            backend=Dask(cluster_client),
            monitor=monitor if where == "monitor" else None,
        )
    assert sessions(cluster_client) == 0


def test_data_that_are_on_the_cluster_stay_there(cluster_client: Any) -> None:
    shards = cluster_client.map(lambda n: [n], range(2))
    plan = Plan(total_steps=20, n_workers=2)
    result = run(Counting(20), shards, plan, backend=Dask(cluster_client))
    assert result.parameters[-1] == 20


def test_data_that_are_lost_are_named(cluster_client: Any) -> None:
    shard = cluster_client.submit(gates.Raise(0), 0)
    gates.wait_until(shard.done)
    with pytest.raises(RuntimeError, match="data of shard 0 are error"):
        run(Counting(9), [shard], Plan(total_steps=9), backend=Dask(cluster_client))


def test_events_tell_what_happened(cluster_client: Any) -> None:
    plan = Plan(total_steps=40, n_workers=2, seed=0)
    result = run(Counting(40), [None] * 2, plan, backend=Dask(cluster_client))
    told = [event for _, event in cluster_client.get_events("dpsvi")]
    mine = [event for event in told if event["session"] == told[-1]["session"]]
    names = [event["event"] for event in mine]
    assert names[0] == "open"
    assert names[-1] == "close"
    assert names.count("join") == names.count("leave") == 2
    assert mine[-1]["data"] == result.counters.merged
    assert {event["slot"] for event in mine if event["event"] == "join"} == {0, 1}
    workers = result.history["workers"]
    assert workers.min() >= 1
    assert workers.max() <= 2


def test_nothing_is_left_behind(cluster_client: Any) -> None:
    run(Counting(5), [None], Plan(total_steps=5), backend=Dask(cluster_client))
    assert sessions(cluster_client) == 0
    gates.wait_until(lambda: not any(cluster_client.processing().values()))
    gates.wait_until(lambda: not any(cluster_client.has_what().values()))


@pytest.mark.parametrize("bad", ["step", "merge"])
def test_an_error_comes_home(cluster_client: Any, bad: str) -> None:
    problem: Any = gates.BadMerge(30)
    if bad == "step":
        problem = Counting(30, before_step=gates.Raise(7))
    plan = Plan(total_steps=30, n_workers=2, seed=0)
    with pytest.raises(ArithmeticError, match="went wrong"):
        run(problem, [None] * 2, plan, backend=Dask(cluster_client))
    assert sessions(cluster_client) == 0


def test_two_runs_at_once(cluster_client: Any, in_background: Any) -> None:
    plan = Plan(total_steps=60, n_workers=2, seed=0)
    backend = Dask(cluster_client)
    both = [
        in_background(run, Counting(60), [None] * 2, plan, backend=backend)
        for _ in range(2)
    ]
    for result in both:
        assert result.result(60).parameters.tolist() == [1.0] * 60 + [60.0]


def test_a_loop_that_was_replaced_is_refused(cluster_client: Any) -> None:
    # A connection that was cut may deliver a push when another loop has taken over.
    handle = MasterHandle(cluster_client)
    master = Master(Counting(9), np.zeros(10), Plan(total_steps=9))
    handle.open(master)
    address = next(iter(cluster_client.scheduler_info(n_workers=-1)["workers"]))

    def call(name: str, **content: Any) -> Any:
        rpc = getattr(cluster_client.scheduler, f"dpsvi_{name}")
        reply = cluster_client.sync(rpc, session=handle.session, **content)
        return check_reply(reply, name)

    def push(incarnation: str, number: int) -> str:
        update = Update(np.ones(10), 1.0)
        message = Push(0, incarnation, number, update, 0, range(1))
        return str(call("push", push=pack(message)[0], size=1)["receipt"].status)

    try:
        assert call("join", incarnation="old", slot=0, address=address)["work"]
        assert push("old", 0) == "accepted"
        assert push("old", 0) == "duplicate"
        assert call("join", incarnation="new", slot=0, address=address)["work"]
        assert push("old", 1) == "stopped"
        assert push("new", 0) == "accepted"
        assert push("stranger", 0) == "stopped"
        assert call("beat", incarnation="old")["stop"]
        assert not call("beat", incarnation="new")["stop"]
        elsewhere = call("join", incarnation="x", slot=0, address="tcp://1.2.3.4:5")
        assert elsewhere["work"] is None
        final, _ = handle.take()
    finally:
        handle.drop()
    counters = final.counters
    assert counters.accepted == counters.merged + counters.pending == 2
    assert counters.dropped == 2
    assert final.parameters[0] == counters.merged


def test_a_session_that_is_gone_is_named(cluster_client: Any) -> None:
    handle = MasterHandle(cluster_client, "nobody")
    with pytest.raises(RuntimeError, match="knows no run 'nobody'"):
        handle.status()


@pytest.mark.parametrize("reply", [None, {"dpsvi": 99}])
def test_another_version_is_named(reply: Any) -> None:
    with pytest.raises(RuntimeError, match="install one version"):
        check_reply(reply, "pull")
