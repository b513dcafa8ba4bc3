"""The page of runs on the scheduler's dashboard, over HTTP."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import gates
import numpy as np
import pytest
from toy_problems import Counting

from dpsvi.engine import Plan, run
from dpsvi.engine.backends.dask import Dask
from dpsvi.engine.backends.dask.page import Page, describe
from dpsvi.engine.backends.dask.session import Member, Session
from dpsvi.engine.master import Master

HTML = Path(gates.__file__).parents[2] / "dpsvi/engine/backends/dask/page.html"


def get(client: Any, path: str) -> str:
    port = client.scheduler_info()["services"]["dashboard"]
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as reply:
        return reply.read().decode()


def state(client: Any, path: str = "/dpsvi.json") -> Any:
    return json.loads(get(client, path))


def test_a_run_as_the_page_tells_it(
    cluster_client: Any, in_background: Any, tmp_path: Path
) -> None:
    gate = gates.Gate(tmp_path, 30)
    plan = Plan(total_steps=60, n_workers=2, local_steps=3, master_batch_size=1)
    problem = Counting(60, before_step=gate)
    backend = Dask(cluster_client)
    running = in_background(run, problem, [None] * 2, plan, backend=backend)
    try:
        gate.reached()

        def all_but_one() -> Any:
            # The other worker does what is left.
            [told] = state(cluster_client)["runs"]
            return told["amount"] == 57.0 and told

        told = gates.wait_until(all_but_one, "the other worker")
        assert state(cluster_client, "/any/prefix/dpsvi.json")["workers"] == 2
    finally:
        gate.open()
    result = running.result(60)
    assert told["name"].startswith("dpsvi-")
    assert told["state"] == "running"
    assert told["error"] is None
    assert told["unit"] == "units"
    assert told["share"] == 57 / 60
    assert told["version"] == sum(shard["pushes"] for shard in told["shards"]) == 19
    assert told["bytes"] > 19 * 60 * 8
    assert told["seconds"] > 0
    assert told["statistics"]["round_steps"] == 3.0
    # One has nothing left to do; the other stands at the gate.
    addresses = {shard["worker"] for shard in told["shards"]} - {None}
    assert addresses
    assert addresses <= set(cluster_client.scheduler_info(n_workers=-1)["workers"])
    assert result.counters.merged == 60
    assert state(cluster_client) == {"runs": [], "workers": 2}


def test_the_page_needs_nothing_from_elsewhere(cluster_client: Any) -> None:
    run(Counting(5), [None], Plan(total_steps=5), backend=Dask(cluster_client))
    page = get(cluster_client, "/dpsvi")
    assert page == HTML.read_text(encoding="utf-8")
    assert "dpsvi.json" in page
    links = set(re.findall(r"https?://[^\"' ]+", page))
    # The name of a language, and never asked for.
    assert links == {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in page


def test_every_fact_that_the_page_shows_is_told(cluster_client: Any) -> None:
    session = Session(Master(Counting(9), np.zeros(10), Plan(total_steps=9)), "me")
    told = describe("name", session, {})
    session.close()
    used = set(re.findall(r"\brun\.(\w+)", HTML.read_text(encoding="utf-8")))
    assert used <= told.keys()
    used = set(re.findall(r"\bshard\.(\w+)", HTML.read_text(encoding="utf-8")))
    assert used == told["shards"][0].keys()


def test_states_of_a_run() -> None:
    plan = Plan(total_steps=9, n_workers=2, max_time=1e-9)
    problem = Counting(9)
    problem.unit = "documents"  # type: ignore[attr-defined]
    session = Session(Master(problem, np.zeros(10), plan), "me")

    def now() -> dict[str, Any]:
        return describe("name", session, {"tcp://a": "alice"})

    try:
        assert now()["state"] == "waiting for workers"
        assert now()["unit"] == "documents"
        assert now()["share"] == 1.0  # of the time
        session.members["x"] = Member(1, "tcp://a")
        assert now()["state"] == "running"
        assert now()["shards"] == [
            {"slot": 0, "worker": None, "worker_name": None, "pushes": 0},
            {"slot": 1, "worker": "tcp://a", "worker_name": "alice", "pushes": 0},
        ]
        session.ending = True
        assert now()["state"] == "ending"
        session.error = ArithmeticError("no")
        assert now()["state"] == "failed"
        assert now()["error"] == "ArithmeticError('no')"
    finally:
        session.close()


def test_numbers_that_json_has_no_word_for() -> None:
    report = SimpleNamespace(
        staleness_mean=np.float32(0.5),
        statistics={"lost": np.nan, "kept": np.float32(2.0)},
    )
    session = Session(Master(Counting(9), np.zeros(10), Plan(total_steps=9)), "me")
    session.master.report = report  # type: ignore[assignment]
    told = json.loads(json.dumps(describe("name", session, {}), allow_nan=False))
    session.close()
    assert told["staleness"] == 0.5
    assert told["statistics"] == {"kept": 2.0}


def test_the_page_goes_with_the_host(small_cluster: Any) -> None:
    client = small_cluster(1)
    with pytest.raises(HTTPError, match="404"):
        get(client, "/dpsvi")
    plan, backend = Plan(total_steps=5), Dask(client)
    run(Counting(5), [None], plan, backend=backend)
    run(Counting(5), [None], plan, backend=backend)
    assert "Runs of dpsvi" in get(client, "/dpsvi")
    client.sync(client.scheduler.dpsvi_remove_host)
    with pytest.raises(HTTPError, match="404"):
        get(client, "/dpsvi")
    # And comes back with it.
    run(Counting(5), [None], plan, backend=backend)
    assert state(client)["runs"] == []


def test_a_scheduler_without_http_server_has_no_page() -> None:
    Page(SimpleNamespace(), {}).remove()


def test_loops_stand_on_the_dashboard_under_one_name(
    cluster_client: Any, in_background: Any, tmp_path: Path
) -> None:
    def names(dask_scheduler: Any) -> set[tuple[str, str]]:
        tasks = dask_scheduler.tasks.values()
        return {
            (task.prefix.name, task.group.name)
            for task in tasks
            if "worker" in str(task.key)
        }

    gate = gates.Gate(tmp_path, 3)
    plan, problem = Plan(total_steps=9), Counting(9, before_step=gate)
    backend = Dask(cluster_client)
    running = in_background(run, problem, [None], plan, backend=backend)
    try:
        gate.reached()
        found = cluster_client.run_on_scheduler(names)
    finally:
        gate.open()
    running.result(60)
    assert found == {("dpsvi-worker", "dpsvi-worker")}
