"""Agents that act, and that come back from disk as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from test_networks import SCREENS, VECTOR, TwoHeads

from dpsvi.rl import safe
from dpsvi.rl.networks import network_for, vector_of
from dpsvi.rl.policy import Policy, Provenance, load

SEEN = np.random.default_rng(0).normal(size=(5, 3))


def decided(seed: int = 0) -> Policy:
    """An agent that does not act uniformly."""
    network: Any = network_for(VECTOR, seed=seed)
    with torch.no_grad():
        network.policy.weight.mul_(100.0)
    return Policy(network, VECTOR, Provenance(steps=70, score=1.5, settings={"a": 1}))


def test_actions_are_drawn_as_often_as_they_are_probable() -> None:
    policy, n = decided(), 20_000
    chances = policy.probabilities(SEEN)[0]
    drawn = policy.act(np.repeat(SEEN[:1], n, axis=0), False, np.random.default_rng(0))
    share = np.bincount(drawn, minlength=2) / n
    deviation = np.sqrt(chances * (1 - chances) / n)
    assert 0.05 < chances[0] < 0.95
    assert (np.abs(share - chances) < 4 * deviation).all()


def test_the_generator_decides() -> None:
    many = np.repeat(SEEN, 20, axis=0)
    acted = [decided().act(many, generator=np.random.default_rng(s)) for s in (1, 1, 2)]
    assert acted[0].dtype == np.int64
    np.testing.assert_array_equal(acted[0], acted[1])
    assert (acted[0] != acted[2]).any()


def test_the_most_probable_action() -> None:
    policy = decided()
    best = policy.probabilities(SEEN).argmax(axis=-1)
    assert len(set(best.tolist())) == 2
    np.testing.assert_array_equal(policy.act(SEEN, deterministic=True), best)


def test_values_are_those_of_the_network() -> None:
    policy = decided()
    _, values = policy.network(torch.tensor(SEEN, dtype=torch.float32))
    np.testing.assert_array_equal(policy.values(SEEN), values.detach().numpy())


def test_screens() -> None:
    policy = Policy.untrained(SCREENS)
    assert policy.act(np.zeros((2, 4, 84, 84), np.uint8)).shape == (2,)
    assert policy.protocol == SCREENS.protocol


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 1), ()])
def test_observations_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"needs \(n, 3\)"):
        decided().act(np.zeros(shape))


def test_an_agent_of_a_vector_is_not_changed_with_it() -> None:
    vector = vector_of(network_for(VECTOR, seed=9))
    policy = Policy.from_vector(vector, VECTOR)
    kept = vector.copy()
    vector[:] = 0.0
    np.testing.assert_array_equal(policy.vector, kept)


def test_there_and_back(tmp_path: Path) -> None:
    policy = decided()
    policy.save(tmp_path / "agent.safetensors")
    again = load(tmp_path / "agent.safetensors")
    np.testing.assert_array_equal(again.vector, policy.vector)
    np.testing.assert_array_equal(again.probabilities(SEEN), policy.probabilities(SEEN))
    assert again.spec == policy.spec
    assert again.provenance == policy.provenance
    assert [file.name for file in tmp_path.iterdir()] == ["agent.safetensors"]


def test_a_bound_agent_is_saved_whole(tmp_path: Path) -> None:
    vector = decided(3).vector
    Policy.from_vector(vector, VECTOR).save(tmp_path / "agent.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "agent.safetensors").vector, vector)


def test_a_network_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    policy = Policy.untrained(VECTOR, TwoHeads, seed=4)
    policy.save(path)
    for network in (TwoHeads, TwoHeads()):
        again = load(path, network=network)
        np.testing.assert_array_equal(again.vector, policy.vector)
    with pytest.raises(ValueError, match=r"parameters of .*TwoHeads.* give network="):
        load(path)


def test_a_network_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    decided().save(path)
    with pytest.raises(ValueError, match=r"body\.0\.weight has shape|both\.weight has"):
        load(path, network=TwoHeads)


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    decided().save(path)
    whole = path.read_bytes()
    for part in (whole[:-10], whole[:50], b"", b"\x80\x04pickle"):
        path.write_bytes(part)
        with pytest.raises(ValueError, match="damaged"):
            load(path)


def test_files_of_others(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"no agent of dpsvi"):
        load(path)
    for header in ("no json", "{}", '{"format": 1, "environment": {}}', "[]"):
        save_file({"x": np.zeros(3)}, path, metadata={"dpsvi": header})
        with pytest.raises(ValueError, match=r"header of .* is damaged"):
            load(path)


def test_a_file_of_a_later_release(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    header = {"format": safe.FORMAT + 1}
    save_file({"x": np.zeros(3)}, path, metadata={"dpsvi": json.dumps(header)})
    with pytest.raises(ValueError, match="use the release that wrote it"):
        load(path)


@pytest.mark.parametrize("provenance", ['{"steps": 3, "whence": "here"}', "[1]"])
def test_a_provenance_of_another_release(tmp_path: Path, provenance: str) -> None:
    path = tmp_path / "agent.safetensors"
    decided().save(path)
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["dpsvi"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header["provenance"] = json.loads(provenance)
    save_file(arrays, path, metadata={"dpsvi": json.dumps(header)})
    with pytest.raises(ValueError, match=r"is damaged, or of another release"):
        load(path)


class Forgetful(TwoHeads):
    """Drops half of what it sees, while it learns."""

    def forward(self, seen: Any) -> Any:
        return super().forward(torch.nn.functional.dropout(seen, 0.5, self.training))


def test_an_agent_that_acts_drops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    policy = Policy.untrained(VECTOR, Forgetful, seed=4)
    policy.save(path)
    vector = policy.vector
    for agent in (
        policy,
        Policy.from_vector(vector, VECTOR, Forgetful),
        load(path, network=Forgetful),
    ):
        seen = [agent.probabilities(SEEN) for _ in range(3)]
        np.testing.assert_array_equal(seen[0], seen[1])
        np.testing.assert_array_equal(seen[0], seen[2])


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        decided().save(tmp_path / "none" / "agent")


def test_what_could_not_be_written_whole_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "agent.safetensors"
    decided(1).save(path)
    before = path.read_bytes()

    def half(_: Any, place: Path, **__: Any) -> None:
        place.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(safe, "save_file", half)
    with pytest.raises(OSError, match="disk full"):
        decided(2).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
