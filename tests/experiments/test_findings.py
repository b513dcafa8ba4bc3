"""What experiments leave behind, and how they are found and run."""

from __future__ import annotations

import csv
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dpsvi.cli import main
from dpsvi.datasets import make_corpus
from dpsvi.experiments import EXPERIMENTS, find, network
from dpsvi.experiments.findings import Claim, Finding, keep
from dpsvi.experiments.topics import TopicStudy


def finding() -> Finding:
    rows = [{"x": 1, "y": 2.5}, {"x": 2, "y": 3.5}]
    claims = [
        Claim.judged("It grows", True, "By one."),
        Claim.judged("It shrinks", False, "It does not."),
        Claim("It flies", "out of reach", "No wings."),
    ]
    return Finding("growth", "Growth", rows, claims, lambda it: it.subplots())


def test_data_figure_and_words_are_kept(tmp_path: Path) -> None:
    places = keep(finding(), tmp_path / "new" / "folder")
    assert [place.name for place in places] == ["growth.csv", "growth.png", "growth.md"]
    with places[0].open() as file:
        assert list(csv.DictReader(file)) == [
            {"x": "1", "y": "2.5"},
            {"x": "2", "y": "3.5"},
        ]
    assert places[1].read_bytes().startswith(b"\x89PNG")
    words = places[2].read_text()
    assert "![Growth](growth.png)" in words
    assert "- It grows: **supported**. By one." in words
    assert "- It shrinks: **not supported**." in words
    assert "- It flies: **out of reach**." in words


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_experiment_can_be_run_at_two_sizes(name: str) -> None:
    module = import_module(f"dpsvi.experiments.{name}")
    assert module.find.__kwdefaults__ == {"full": False}


def test_an_unknown_experiment_is_named() -> None:
    with pytest.raises(ValueError, match="no experiment 'fig9'; give one of"):
        find("fig9")


def test_the_command_lists_what_there_is() -> None:
    lines = CliRunner().invoke(main, ["experiment"]).output.splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)
    listed = CliRunner().invoke(main, ["experiment", "--json"]).output
    assert json.loads(listed) == EXPERIMENTS
    wrong = CliRunner().invoke(main, ["experiment", "fig9"])
    assert wrong.exit_code != 0
    assert "there is no experiment 'fig9'" in wrong.output


def test_a_folder_that_cannot_be_made_is_told_of_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("dpsvi.experiments.fig1")
    monkeypatch.setattr(module, "find", lambda full: pytest.fail("it has worked"))
    (tmp_path / "file").touch()
    args = ["experiment", "fig1", "-o", str(tmp_path / "file" / "folder")]
    outcome = CliRunner().invoke(main, args)
    assert outcome.exit_code == 1
    assert str(tmp_path / "file") in outcome.output


@pytest.mark.parametrize("name", ["fig1", "fig2", "fig3", "fig4"])
def test_figures_of_topics_on_few_documents(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = import_module(f"dpsvi.experiments.{name}")
    counts = make_corpus(300, 80, 3, random_state=0).counts
    small = TopicStudy(3, epochs=1, counts=counts)
    monkeypatch.setattr(module, "study_of", lambda full, **more: small)
    # A cluster would take too long to start.
    monkeypatch.setattr(network, "event_loop_seconds", lambda: 0.003)
    args = ["experiment", name, "-o", str(tmp_path), "--json"]
    outcome = CliRunner().invoke(main, args, catch_exceptions=False)
    assert outcome.exit_code == 0
    told = json.loads(outcome.output)
    assert [Path(it).name for it in told["files"]] == [
        f"{name}.{ending}" for ending in ("csv", "png", "md")
    ]
    with (tmp_path / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    # Measured and simulated are told apart.
    kinds = {row["kind"] for row in rows}
    assert kinds == ({"simulated"} if name == "fig3" else {"simulated", "measured"})
    assert all(claim["found"] for claim in told["claims"])
