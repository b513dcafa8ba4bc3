"""What a fit says in the log."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from small_corpora import make_counts, make_model

from dpsvi.models.lda import log

X = make_counts(40)


def said(caplog: pytest.LogCaptureFixture, **more: Any) -> list[logging.LogRecord]:
    caplog.set_level(logging.INFO, logger="dpsvi")
    make_model(max_iter=3, local_steps=1, **more).fit(X, X_val=X[:5])
    return [record for record in caplog.records if record.name == "dpsvi.fit"]


def test_lines_for_people_and_facts_for_machines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_EVERY", 0.0)
    begun, *on, ended = said(caplog)
    assert begun.event == "fit begins"
    assert begun.facts["documents"] == 40
    assert begun.getMessage().startswith("fit begins: documents=40 words=20 topics=3")
    assert [record.facts["documents"] for record in on] == [
        8.0 * i for i in range(1, 16)
    ]
    assert on[-1].facts["documents_per_second"] > 0
    assert on[-1].facts["heldout_perplexity"] > 1
    assert 0 <= on[-1].facts["converged"] <= 1
    assert "workers" not in on[-1].facts
    assert ended.event == "fit ended"
    assert ended.facts == {**on[-1].facts, "reason": "completed"}


def test_a_short_fit_has_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = said(caplog, inference="cvb0")
    assert (begun.event, ended.event) == ("fit begins", "fit ended")
    assert ended.facts["documents"] == 120.0
    assert "converged" not in ended.facts


def test_a_failure_is_said_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="dpsvi")

    def fail(progress: Any) -> None:
        raise OSError("no more paper")

    with pytest.raises(OSError, match="paper"):
        make_model().fit(X, callbacks=[fail])
    assert caplog.records[-1].event == "fit failed"
    assert caplog.records[-1].facts["error"] == "OSError('no more paper')"


def test_nobody_is_told_who_does_not_ask(capsys: pytest.CaptureFixture[str]) -> None:
    make_model().fit(X)
    assert capsys.readouterr() == ("", "")
