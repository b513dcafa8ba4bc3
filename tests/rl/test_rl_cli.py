"""The command `dpsvi rl`."""

from __future__ import annotations

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


def test_an_interrupted_training_saves_its_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import signal

    from dpsvi.rl import monitor

    def interrupt(self: Any, sums: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(monitor.TrainingMonitor, "_warn_of_death", interrupt)
    path = tmp_path / "agent.safetensors"
    done = call(
        *("train", "CartPole-v1", "--total-steps", 10**9, "--log-dir", tmp_path),
        *("--n-threads", 1, "-o", path),
    )
    assert done.exit_code == 130
    assert path.exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["train", "Pong-v5", "--total-steps", 9], 1, "Did you mean 'ALE/Pong-v5'"),
        (["train", "CartPole-v1"], 2, "--total-steps"),
        (["train", "CartPole-v1", "--total-steps", 0], 2, "--total-steps"),
        (["evaluate", "nowhere.safetensors"], 2, "does not exist"),
        (
            ["train", "CartPole-v1", "--total-steps", 9, "-o", "no/where"],
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


def test_a_damaged_agent(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    path.write_bytes(b"nothing")
    assert call("evaluate", path).exit_code == 1
    assert call("record", path, tmp_path / "film.gif").exit_code == 1


def test_a_film(trained: Any, tmp_path: Path) -> None:
    pytest.importorskip("imageio")
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
    assert json.loads(done.output)["length"] == 5
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
