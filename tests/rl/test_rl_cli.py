"""The command `dpsvi rl`."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from dpsvi.cli import main


def call(*words: Any) -> Any:
    return CliRunner().invoke(main, ["rl", *map(str, words)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("cli")
    path = folder / "agent.safetensors"
    done = call(
        *("train", "CartPole-v1", "--total-steps", 600, "--n-threads", 1),
        *("--seed", 0, "--log-dir", folder, "-o", path, "--json"),
    )
    assert done.exit_code == 0, done.output
    return path, json.loads(done.output)


def test_training_leaves_an_agent_and_a_table(trained: Any) -> None:
    path, facts = trained
    assert path.exists()
    assert Path(facts["table"]).exists()
    assert facts["steps"] >= 600
    assert facts["reason"] == "completed"
    assert facts["environment"] == "CartPole-v1"
    assert facts["protocol"]["frame_skip"] == 1


def test_an_agent_is_scored(trained: Any) -> None:
    path, _ = trained
    found = call("evaluate", path, "--episodes", 3, "--seed", 1, "--json")
    facts = json.loads(found.output)
    assert len(facts["scores"]) == 3
    assert facts["mean"] == pytest.approx(sum(facts["scores"]) / 3)
    text = call("evaluate", path, "--episodes", 3, "--seed", 1).output
    assert text.startswith("CartPole-v1:")
    assert f"{facts['mean']:.1f}" in text


def test_without_a_place_the_agent_lies_beside_the_table(tmp_path: Path) -> None:
    done = call(
        *("train", "CartPole-v1", "--total-steps", 100, "--log-dir", tmp_path),
        *("--n-threads", 1),
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "policy.safetensors").exists()
    assert "agent in" in done.output


def test_a_name_is_enough(tmp_path: Path, monkeypatch: Any) -> None:
    from dpsvi import rl

    asked: dict[str, Any] = {}

    def shortened(env: str, **options: Any) -> Any:
        asked.update(options)
        return train(env, callbacks=[lambda progress: True], n_threads=1, **options)

    train = rl.train
    monkeypatch.setattr(rl, "train", shortened)
    monkeypatch.chdir(tmp_path)
    done = call("train", "CartPole-v1", "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.output)
    assert facts["reason"] == "stopped"
    assert Path(facts["policy"]).exists()
    # Nothing is asked for that nobody has asked for.
    assert asked == {"progress": False, "client": None, "synchronous": False}


def test_options_reach_the_training(tmp_path: Path) -> None:
    agent, curve = tmp_path / "agent.safetensors", tmp_path / "curve.svg"
    done = call(
        *("train", "CartPole-v1", "-n", 800, "-t", 1, "--n-workers", 2),
        *("--n-environments", 4, "--n-steps", 10, "--batch-size", 20),
        *("--n-passes", 2, "--discount", 0.9, "--gae-lambda", 0.5),
        *("--momentum", 0.5, "-B", 4, "--max-staleness", 8),
        *("--evaluate-every", 400, "--log-dir", tmp_path),
        *("--plot", curve, "-o", agent),
    )
    assert done.exit_code == 0, done.output
    assert f"learning curve in {curve}" in done.output
    assert "agent steps" in curve.read_text()
    from dpsvi import rl

    asked = {
        "n_environments": 4,
        "n_steps": 10,
        "batch_size": 20,
        "n_passes": 2,
        "discount": 0.9,
        "trace_decay": 0.5,
        "momentum": 0.5,
    }
    settings = rl.load(agent).provenance.settings
    assert {name: settings[name] for name in asked} == asked
    with (tmp_path / "progress.csv").open() as file:
        evaluated = [row["evaluation"] for row in csv.DictReader(file)]
    assert any(evaluated)


def test_training_on_a_cluster(tmp_path: Path, cluster_client: Any) -> None:
    address = cluster_client.scheduler.address
    table = tmp_path / "scheduler.json"
    table.write_text(json.dumps({"address": address}), encoding="utf-8")
    for where in (["--scheduler", address], ["--scheduler-file", table]):
        done = call(
            *("train", "CartPole-v1", "-n", 512, "--log-dir", tmp_path, "--json"),
            *("--synchronous", *where),
        )
        assert done.exit_code == 0, done.output
        assert json.loads(done.output)["steps"] == 512
    both = call("train", "CartPole-v1", "--scheduler", address, *where)
    assert both.exit_code == 2
    assert "not both" in both.output


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupted_training_saves_its_agent(
    number: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import signal

    from dpsvi.rl import monitor

    def interrupt(self: Any, sums: Any) -> None:
        os.kill(os.getpid(), getattr(signal, number))

    monkeypatch.setattr(monitor.TrainingMonitor, "_warn_of_death", interrupt)
    path = tmp_path / "agent.safetensors"
    done = call(
        *("train", "CartPole-v1", "--total-steps", 10**9, "--log-dir", tmp_path),
        *("--n-threads", 1, "-o", path),
    )
    assert done.exit_code == code
    assert path.exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["train", "Pong-v5", "--total-steps", 9], 1, "Did you mean 'ALE/Pong-v5'"),
        (["train", "CartPole-v1", "--total-steps", 0], 2, "--total-steps"),
        (["evaluate", "nowhere.safetensors"], 2, "does not exist"),
        (
            ["train", "CartPole-v1", "--total-steps", 9, "-o", "no/where"],
            2,
            "there is no folder 'no'",
        ),
        (["train", "nomod:Foo-v0"], 1, "the module 'nomod', which cannot be loaded"),
        (["train", "CartPole-v1", "--plot", "no/curve.png"], 2, "no folder 'no'"),
        (["train", "CartPole-v1", "--plot", "curve.doc"], 2, "does not end in .png"),
        (["train", "CartPole-v1", "--momentum", 1.0], 1, "momentum is 1.0"),
        (
            ["train", "CartPole-v1", "--n-workers", 2, "--checkpoint", "no/c.npz"],
            1,
            "there is no folder 'no'",
        ),
        (["train", "CartPole-v1", "--total-steps", 9, "--sticky", 0.25], 1, "no Atari"),
    ],
)
def test_mistakes(
    words: list[Any], code: int, message: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(*words)
    assert done.exit_code == code
    assert message in done.output
    assert not list(tmp_path.iterdir())


def test_an_agent_of_another_kind(trained: Any, tmp_path: Path) -> None:
    pytest.importorskip("ale_py")
    path, _ = trained
    for words in (
        ["evaluate", path, "ALE/Pong-v5"],
        ["record", path, tmp_path / "film.gif", "--env", "ALE/Pong-v5"],
    ):
        done = call(*words)
        assert done.exit_code == 1
        assert "trained on another kind of observation" in done.output


def test_a_damaged_agent(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    path.write_bytes(b"nothing")
    assert call("evaluate", path).exit_code == 1
    assert call("record", path, tmp_path / "film.gif").exit_code == 1


def test_a_film(trained: Any, tmp_path: Path) -> None:
    pytest.importorskip("ale_py")
    agent = tmp_path / "pong.safetensors"
    made = call(
        *("train", "ALE/Pong-v5", "--total-steps", 10, "--n-environments", 1),
        *("--n-steps", 5, "--n-threads", 1, "--log-dir", tmp_path, "-o", agent),
    )
    assert made.exit_code == 0, made.output
    film = tmp_path / "film.gif"
    done = call("record", agent, film, "--max-steps", 5, "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.output)
    assert facts["length"] == 5
    assert facts["protocol"]["sticky"] == 0.0
    told = call("record", agent, film, "--max-steps", 5).output
    assert "ALE/Pong-v5, score" in told
    assert "frame skip 4, sticky actions 0" in told
    assert film.read_bytes().startswith(b"GIF8")


def test_help_has_examples_and_loads_no_torch() -> None:
    for command in ((), ("train",), ("evaluate",), ("record",)):
        text = call(*command, "--help").output
        assert "Example:" in text
        assert "dpsvi rl" in text
    code = "import sys, dpsvi.cli.rl; print('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"
