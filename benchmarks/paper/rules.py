"""Eq. 13 on a corpus with known topics: perplexity against documents, under both rules.

DPSVI is replayed, so that it has exactly the staleness of n workers; samples count
here, and seconds do not. The topics that the corpus was drawn from say how far down a
perplexity can come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dpsvi.datasets import make_corpus
from dpsvi.experiments.findings import COLOURS, Claim, Finding, plain, tidy
from dpsvi.experiments.topics import Curve, Rule, TopicStudy

__all__ = ["claims", "find"]

_TOPICS = 10
# n, p and B of what is compared with serial SVI. M = n.
_LAYOUTS = ((4, 1, 1), (2, 2, 5), (4, 2, 5))
_RULES: dict[Rule, str] = {"samples": "13b", "corollary": "13a"}
_SERIAL = "serial SVI"
# As many documents, but for what two seeds of one run differ by.
_SAME = 1.25
_CLOSE = 1.05


def find(*, full: bool = False) -> Finding:
    """Run; `full` draws ten times as many documents."""
    corpus = make_corpus(60_000 if full else 6_000, 1_000, _TOPICS, random_state=0)
    study = TopicStudy(_TOPICS, counts=corpus.counts)
    known = study.perplexity_of(corpus.topics)
    rows = _rows(study, study.serial, _SERIAL, "", known)
    for n, p, B in _LAYOUTS:
        for rule, name in _RULES.items():
            curve = study.replay(n, p, B, step=study.step(rule, n, p, B))
            rows += _rows(study, curve, f"n = {n}, p = {p}, B = {B}", name, known)
    return Finding(
        "rules",
        "Perplexity against documents, topics known (Eq. 13)",
        rows,
        claims(rows),
        lambda figure: _draw(figure, rows),
        note="M = n. Replayed with the staleness of n workers. The rate is the best of "
        "serial SVI, and what the rules make of it.",
    )


def _rows(
    study: TopicStudy, curve: Curve, layout: str, rule: str, known: float
) -> list[dict[str, Any]]:
    needed = curve.documents_to(study.target) / study.documents_needed
    common = {"layout": layout, "rule": rule, "known": known, "times_serial": needed}
    return [
        {**common, "documents": done, "perplexity": perplexity}
        for done, perplexity in zip(curve.documents, curve.perplexity, strict=True)
    ]


def claims(rows: Sequence[dict[str, Any]]) -> list[Claim]:
    """Return what Eq. 13 is for, and what the rows say of it."""
    last = {(row["layout"], row["rule"]): row for row in rows}
    serial = last.pop((_SERIAL, ""))
    needed = {
        rule: [row["times_serial"] for (_, own), row in last.items() if own == rule]
        for rule in _RULES.values()
    }
    ends = [row["perplexity"] for (_, rule), row in last.items() if rule == "13b"]
    return [
        Claim.judged(
            "SVI predicts words nearly as well as the topics they were drawn from",
            serial["perplexity"] < _CLOSE * serial["known"],
            f"At the end {serial['perplexity']:.1f}, with the known topics "
            f"{serial['known']:.1f}.",
        ),
        Claim.judged(
            "and so does DPSVI, under rule 13b",
            max(ends) < _CLOSE * serial["known"],
            f"At the end {', '.join(f'{end:.1f}' for end in ends)}.",
        ),
        Claim.judged(
            "Under rule 13b DPSVI needs no more documents than serial SVI",
            max(needed["13b"]) < _SAME,
            f"To the same perplexity: {_times(needed['13b'])} as many.",
        ),
        Claim.judged(
            "and under rule 13a as well",
            max(needed["13a"]) < _SAME,
            f"{_times(needed['13a'])} as many: it lowers the steps, as for a given "
            "number of merges.",
        ),
    ]


def _times(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:.2f}" for share in shares)


def _draw(figure: Any, rows: Sequence[dict[str, Any]]) -> None:
    panels = figure.subplots(1, 2, sharey=True)
    for axes, rule in zip(panels, _RULES.values(), strict=True):
        own = [row for row in rows if row["rule"] in ("", rule)]
        names = dict.fromkeys(row["layout"] for row in own)
        for colour, name in zip(COLOURS, names, strict=False):
            chosen = [row for row in own if row["layout"] == name]
            axes.plot(
                [row["documents"] for row in chosen],
                [row["perplexity"] for row in chosen],
                "o--",
                color=colour,
                mfc="white",
                markersize=4,
                label=name if name == _SERIAL else f"{name}, replayed",
            )
        axes.axhline(
            rows[0]["known"], color="#777777", linestyle=":", label="known topics"
        )
        axes.set(xscale="log", yscale="log")
        plain(axes.xaxis)
        plain(axes.yaxis, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)
        tidy(axes, f"rule {rule}", "documents", "")
    panels[0].set_ylabel("held-out perplexity")
    panels[1].legend(frameon=False, fontsize=8)
