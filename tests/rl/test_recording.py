"""Episodes as films."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scripted_games import END, Scripted

from dpsvi.rl import films
from dpsvi.rl.environments import spec_of
from dpsvi.rl.policy import Policy
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.recording import record


def drawn() -> Scripted:
    return Scripted([(7, END)])


def invisible() -> Scripted:
    return Scripted([(7, END)], render_mode=None)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.untrained(spec_of(drawn))


def pictures(path: Path) -> list[Any]:
    with Image.open(path) as film:
        frames = []
        for number in range(film.n_frames):
            film.seek(number)
            frames.append(np.asarray(film.convert("RGB")))
        return frames


def test_one_picture_for_each_step(policy: Policy, tmp_path: Path) -> None:
    game = record(policy, tmp_path / "film.gif", drawn)
    frames = pictures(tmp_path / "film.gif")
    assert game.length == 7
    assert 7.0 <= game.score <= 14.0
    assert [int(frame[0, 0, 0]) for frame in frames] == [5 * n for n in range(7)]
    assert frames[0].shape == (40, 30, 3)
    assert str(game).endswith("random actions, environment as it is")


def test_speed_is_natural_or_as_asked(policy: Policy, tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    for fps, milliseconds in [(None, 50), (10, 100), (1000, 20)]:
        record(policy, path, drawn, fps=fps)
        with Image.open(path) as film:
            assert film.info["duration"] == milliseconds


def test_a_film_may_end_before_the_game(policy: Policy, tmp_path: Path) -> None:
    game = record(policy, tmp_path / "film.gif", drawn, max_steps=3)
    assert game.length == 3
    assert len(pictures(tmp_path / "film.gif")) == 3


def test_atari_in_colour(tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    player = Policy.untrained(spec_of("ALE/Boxing-v5"))
    rules = Protocol(max_episode_frames=160)
    game = record(player, path, protocol=rules)
    assert game.protocol == rules.evaluation()
    assert "ALE/Boxing-v5, score" in str(game)
    assert "at most 160 frames" in str(game)
    frames = pictures(path)
    assert game.length == 40
    assert frames[0].shape == (210, 160, 3)
    assert (frames[0][..., 0] != frames[0][..., 1]).any()
    # Pillow shows a still picture longer instead of storing it again.
    assert 10 < len(frames) <= 40
    assert any((one != frames[0]).any() for one in frames)


def test_endings_and_folders(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"neither \.gif nor \.mp4"):
        record(policy, tmp_path / "film.avi", drawn)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        record(policy, tmp_path / "none" / "film.gif", drawn)
    with pytest.raises(ValueError, match="max_steps is 0"):
        record(policy, tmp_path / "film.gif", drawn, max_steps=0)
    with pytest.raises(ValueError, match="fps -1"):
        record(policy, tmp_path / "film.gif", drawn, fps=-1)
    assert not list(tmp_path.iterdir())


def test_what_draws_nothing(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="render_mode is None"):
        record(policy, tmp_path / "film.gif", invisible)
    with pytest.raises(ValueError, match=r"Pong-v5 is an Atari game.*another kind"):
        record(policy, tmp_path / "film.gif", "ALE/Pong-v5")


def test_drawing_may_need_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ImportError, match=r"CartPole-v1 needs .*; pip install pygame$"):
        record(Policy.untrained(spec_of("CartPole-v1")), tmp_path / "film.gif")


def test_nothing_is_left_of_a_film_that_failed(policy: Policy, tmp_path: Path) -> None:
    class Torn(Scripted):
        def render(self) -> Any:
            if self.steps == 3:
                raise RuntimeError("torn")
            return super().render()

    with pytest.raises(RuntimeError, match="torn"):
        record(policy, tmp_path / "film.gif", lambda: Torn([(7, END)]))
    assert not list(tmp_path.iterdir())


def test_mp4_without_its_package(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r"imageio\[ffmpeg\]"):
        record(policy, tmp_path / "film.mp4", drawn)


@pytest.mark.skipif(find_spec("imageio_ffmpeg") is None, reason="needs imageio-ffmpeg")
def test_mp4(policy: Policy, tmp_path: Path) -> None:
    record(policy, tmp_path / "film.mp4", drawn)
    assert b"ftyp" in (tmp_path / "film.mp4").read_bytes()[:16]
