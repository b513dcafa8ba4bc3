"""`train`: what it needs, what it leaves, when it ends; problems on every backend."""

from __future__ import annotations

import csv
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from small_environments import Bandit, Identity  # noqa: E402

from dpsvi import rl  # noqa: E402
from dpsvi.rl.bar import TrainingBar, state_of  # noqa: E402
from dpsvi.rl.logs import COLUMNS, default_folder  # noqa: E402

# Learned in about a second.
EASY: dict[str, Any] = {
    "n_environments": 8,
    "n_steps": 5,
    "discount": 0.0,
    "learning_rate": 3e-3,
    "entropy": 0.05,
    "schedule": "constant",
    "progress": False,
}


@pytest.fixture
def train(tmp_path: Path) -> Any:
    """Train on the identity environment, in the test's own folder."""

    def call(env: Any = Identity, total_steps: int = 2_000, **options: Any) -> Any:
        options = {"n_threads": 1, "seed": 0, "log_dir": tmp_path, **EASY, **options}
        return rl.train(env, total_steps=total_steps, **options)

    return call


def share_right(result: Any) -> float:
    states = np.arange(30) % Identity.n_states
    seen = np.eye(Identity.n_states, dtype=np.float32)[states]
    return float(np.mean(result.policy.act(seen, deterministic=True) == states))


@pytest.mark.parametrize("backend", ["local", "simulated"])
@pytest.mark.parametrize("n_workers", [1, 2])
def test_identity_is_learned_on_every_backend(
    train: Any, backend: str, n_workers: int
) -> None:
    result = train(
        total_steps=16_000, backend=backend, n_workers=n_workers, local_steps=4
    )
    assert share_right(result) == 1.0
    assert result.steps == 16_000
    assert result.reason == "completed"


def test_the_result_tells_the_story(train: Any, tmp_path: Path) -> None:
    result = train()
    assert result.steps == 2_000
    assert result.episodes == 200
    assert result.history["steps"][-1] == 2_000
    assert result.history["episodes"][-1] == 200
    assert 2.0 < result.score < 10.0
    assert result.throughput == pytest.approx(2_000 / result.seconds)
    assert set(result.history.columns) <= set(COLUMNS)
    assert 0 < result.history["entropy"][-1] <= np.log(3)
    text = str(result)
    assert "Identity(): environment as it is" in text
    assert f"{result.score:.1f}" in text
    assert str(tmp_path) in text
    assert result.policy.provenance.steps == 2_000
    assert result.policy.provenance.settings["n_steps"] == 5


def test_the_protocol_of_atari_is_printed(train: Any) -> None:
    pytest.importorskip("ale_py")
    result = train("ALE/Pong-v5", 40, n_environments=2, n_steps=10, warm_up=0)
    assert "sticky actions 0" in str(result)
    assert "no-ops" in str(result)
    assert "training score unknown" in str(result)
    assert 0.05 < result.history["live_units"][0] <= 1.0


def test_the_table_is_written(train: Any, tmp_path: Path) -> None:
    result = train()
    with (tmp_path / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(result.history)
    assert float(rows[-1]["steps"]) == 2_000
    assert float(rows[-1]["score"]) == pytest.approx(result.score, rel=1e-4)


def test_without_a_folder_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, train: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    result = train(total_steps=40, log_dir=None)
    assert result.log_dir.parts[0] == "runs"
    assert (result.log_dir / "progress.csv").exists()
    assert default_folder("ALE/Pong-v5").name.startswith("ALE-Pong-v5-")


def test_how_long_depends_on_what_is_seen(train: Any) -> None:
    pytest.importorskip("ale_py")
    lengths: list[int] = []

    def look(progress: Any) -> bool:
        lengths.append(progress.total_steps)
        return True

    train(total_steps=None, callbacks=[look], local_steps=1)
    train("ALE/Pong-v5", None, callbacks=[look], local_steps=1, n_environments=1)
    assert lengths == [200_000, 4_000_000]


def test_one_thread_repeats_bit_by_bit(train: Any) -> None:
    one, two, other = train(), train(), train(seed=1)
    np.testing.assert_array_equal(one.policy.vector, two.policy.vector)
    assert (one.policy.vector != other.policy.vector).any()


def test_a_checkpoint_holds_everything(train: Any, tmp_path: Path) -> None:
    from dpsvi.engine import Checkpoint

    path = tmp_path / "c.npz"
    first = train(total_steps=800, checkpoint=path)
    saved = Checkpoint(path).saved
    assert saved is not None
    assert saved.settings == {
        "environment": "Identity()",
        "protocol": first.protocol.to_dict(),
        "n_parameters": first.policy.vector.size,
        "optimiser": "adam",
        "momentum": 0.0,
    }
    assert saved.counters == {"steps": 800, "episodes": 80}
    np.testing.assert_array_equal(saved.arrays["weights"], first.policy.vector)
    assert saved.arrays["n_updates"].tolist() == [20]
    assert saved.arrays["statistics"].any()
    # Going on with nothing left to do changes nothing.
    again = train(total_steps=800, checkpoint=path)
    np.testing.assert_array_equal(again.policy.vector, first.policy.vector)
    assert (again.steps, again.episodes) == (800, 80)


def test_a_checkpoint_goes_on(train: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    train(total_steps=800, checkpoint=path)
    rest = train(total_steps=2_000, checkpoint=path)
    assert (rest.steps, rest.episodes) == (2_000, 200)
    assert rest.history["steps"][0] == 800
    assert rest.history["steps"][-1] == 2_000
    assert [p.name for p in tmp_path.glob("*c.npz*")] == ["c.npz"]


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_checkpoint_of_several_workers(
    train: Any, tmp_path: Path, momentum: float
) -> None:
    path = tmp_path / "c.npz"
    options = {"n_workers": 2, "backend": "simulated", "momentum": momentum}
    train(total_steps=800, checkpoint=path, local_steps=2, **options)
    rest = train(total_steps=1_600, checkpoint=path, local_steps=2, **options)
    assert rest.steps == 1_600


def test_a_checkpoint_of_something_else_is_refused(train: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    train(total_steps=40, checkpoint=path)
    with pytest.raises(ValueError, match=r"'optimiser': 'adam'.*'optimiser': 'sgd'"):
        train(total_steps=80, checkpoint=path, optimiser="sgd")
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="no checkpoint"):
        train(total_steps=80, checkpoint=path)
    with pytest.raises(ValueError, match="there is no folder"):
        train(total_steps=80, checkpoint=tmp_path / "nowhere" / "c.npz")


def test_an_error_names_the_checkpoint(train: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    train(total_steps=40, checkpoint=path)

    def fail(progress: Any) -> None:
        raise ArithmeticError("went wrong")

    with pytest.raises(ArithmeticError) as caught:
        train(total_steps=80, checkpoint=path, callbacks=[fail])
    assert "c.npz" in caught.value.__notes__[0]


def test_callbacks_see_and_stop(train: Any) -> None:
    seen: list[Any] = []

    def watch(progress: Any) -> bool:
        seen.append(progress)
        assert progress.weights.dtype == np.float32
        return progress.steps >= 400

    result = train(total_steps=4_000, callbacks=[watch], local_steps=2)
    assert result.reason == "stopped"
    assert result.steps == 400 == seen[-1].steps
    assert [p.steps for p in seen] == [80, 160, 240, 320, 400]
    assert "stopped early" in str(result)


def test_a_target_score_ends_the_training(train: Any) -> None:
    result = train(total_steps=200_000, target_score=7.0, local_steps=4)
    assert result.reason == "stopped"
    assert 7.0 <= result.score < 10.0
    assert result.steps < 100_000


def test_evaluations(train: Any) -> None:
    result = train(
        total_steps=3_200, evaluate_every=800, evaluation_episodes=4, local_steps=4
    )
    seen = result.history["evaluation"]
    assert np.isfinite(seen).sum() == 4
    ax = result.plot()
    assert [line.get_label() for line in ax.lines] == ["training", "evaluation"]
    ended = train(
        total_steps=80_000,
        evaluate_every=1_600,
        evaluation_episodes=4,
        target_score=6.0,
        local_steps=4,
    )
    assert ended.reason == "stopped"
    assert ended.history["evaluation"][-1] >= 6.0


def test_the_time_limit(train: Any) -> None:
    result = train(total_steps=10**9, max_time=0.3)
    assert result.reason == "max_time"
    assert result.steps > 0


def test_ctrl_c_gives_the_result_so_far(train: Any) -> None:
    def interrupt(progress: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    result = train(total_steps=10**9, callbacks=[interrupt], local_steps=2)
    assert result.reason == "interrupted"
    assert result.steps == 80
    assert result.policy.act(np.zeros((1, 3))).shape == (1,)


class Dead(torch.nn.Module):
    """Two units that never react."""

    def __init__(self, spec: Any) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(3, 2)
        self.heads = torch.nn.Linear(2, spec.n_actions + 1)
        self.relu = torch.nn.ReLU()
        torch.nn.init.constant_(self.hidden.bias, -10.0)

    def forward(self, seen: Any) -> Any:
        out = self.heads(self.relu(self.hidden(seen)))
        return out[:, :-1], out[:, -1]


def test_a_dead_network_is_noticed_once(train: Any) -> None:
    with pytest.warns(RuntimeWarning, match="only 0.0% of the units") as caught:
        train(total_steps=4_000, network=Dead, local_steps=1)
    assert len(caught) == 1


class Decided(torch.nn.Module):
    """Answers the same to everything."""

    def __init__(self, spec: Any) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor([100.0, 0.0, 0.0]))

    def forward(self, seen: Any) -> Any:
        return self.logits.expand(len(seen), 3), self.logits[1].expand(len(seen))


def test_a_network_that_answers_the_same_is_noticed(train: Any) -> None:
    with pytest.warns(RuntimeWarning, match="the same to everything"):
        train(total_steps=80, network=Decided)


@pytest.mark.parametrize("env", [Identity, Bandit])
def test_a_healthy_network_is_left_in_peace(train: Any, env: Any) -> None:
    # Of one who always sees the same, the same is the right answer.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(env, total_steps=4_000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"total_steps": 0}, "total_steps is 0"),
        ({"n_steps": 0}, "n_steps is 0"),
        ({"discount": 1.5}, "discount is 1.5"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"optimiser": "adagrad"}, "no optimiser 'adagrad'"),
        ({"schedule": "cosine"}, "schedule is 'cosine'"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"n_threads": 0}, "n_threads is 0"),
        ({"local_steps": 0}, "local_steps is 0"),
        ({"max_gradient_norm": -1.0}, "max_gradient_norm is -1.0"),
        ({"env": "Pong-v5"}, "no environment 'Pong-v5'. Did you mean 'ALE/Pong-v5'"),
        ({"env": "Pendulum-v1"}, "continuous"),
        ({"backend": "cloud"}, "no backend 'cloud'"),
        ({"backend": "local", "client": object()}, "a client was given"),
        ({"protocol": rl.Protocol()}, "no Atari game"),
    ],
)
def test_mistakes_are_found_before_any_work(
    train: Any, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(**options)
    assert not list(tmp_path.iterdir())


def test_tensorboard_is_asked_for_before_any_work(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        train(tensorboard=True)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """TensorBoard's writers that are opened, without TensorBoard."""
    import sys
    from types import ModuleType

    opened: list[Any] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            self.folder, self.purge_step, self.scalars = folder, purge_step, []
            opened.append(self)

        def add_scalar(self, *scalar: Any) -> None:
            self.scalars.append(scalar)

        def close(self) -> None:
            self.scalars.append("closed")

    stand_in: Any = ModuleType("torch.utils.tensorboard")
    stand_in.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    return opened


def test_tensorboard_is_written_to_a_folder_that_was_given(
    train: Any, tmp_path: Path, written: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train(total_steps=80, log_dir=None)
    train(total_steps=80, tensorboard=False)
    assert not written
    train(total_steps=80, log_dir=None, tensorboard=True)
    result = train(total_steps=80, checkpoint=tmp_path / "c.npz")
    assert [writer.folder for writer in written][1:] == [str(tmp_path)]
    (score,) = [s for s in written[1].scalars if s[0] == "train/score"]
    assert score == ("train/score", pytest.approx(result.score), 80)
    assert written[1].scalars[-1] == "closed"
    # Of a training that goes on what was written beyond the checkpoint is not shown.
    train(total_steps=160, checkpoint=tmp_path / "c.npz")
    assert [writer.purge_step for writer in written] == [1, 1, 81]


def test_without_tensorboard_nothing_is_said(
    train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    assert train(total_steps=80).steps == 80


def test_tensorboard_holds_the_score(train: Any, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing import event_accumulator

    result = train(total_steps=400, tensorboard=True)
    (path,) = tmp_path.glob("events.out.tfevents.*")
    events = event_accumulator.EventAccumulator(str(path))
    events.Reload()
    last = events.Scalars("train/score")[-1]
    assert last.step == 400
    assert last.value == pytest.approx(result.score, rel=1e-5)


def test_the_bar_says_how_it_goes(train: Any) -> None:
    from io import StringIO

    from rich.console import Console

    written = StringIO()
    with TrainingBar(Console(file=written, force_terminal=True, width=120)) as bar:
        states: list[str] = []

        def show(progress: Any) -> None:
            bar.show(progress)
            states.append(state_of(progress))

        train(callbacks=[show])
    assert "Training" in written.getvalue()
    assert states[-1].startswith("2,000/2,000 steps")
    assert "score" in states[-1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cartpole_is_balanced(tmp_path: Path, seed: int) -> None:
    result = rl.train(
        "CartPole-v1",
        total_steps=200_000,
        n_threads=1,
        seed=seed,
        log_dir=tmp_path,
        progress=False,
    )
    assert rl.evaluate(result.policy, deterministic=True).mean >= 400
