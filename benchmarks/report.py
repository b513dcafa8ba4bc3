"""What a race leaves behind: curves (.json), tables (.md) and a picture (.png)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import results
from picture import draw
from run_one import Curve
from tuning import SHARED

_LEGEND = """\
`<=`: the first snapshot had already passed the level. `-`: a seed did not reach it.
`>=`: our own first snapshot had already passed the level, so the ratio is a lower
bound. `?`: the other system's first snapshot had, so the ratio is not known. `never`:
the other system did not reach the level; `ours never`: we did not.
"""


def write_report(
    curves: list[Curve],
    about: dict[str, Any],
    levels: list[float] | None,
    ours: str,
    stem: Path,
) -> str:
    """Write the three files beside each other; gives the text of the tables."""
    levels = levels or results.automatic_levels(curves)
    written = {"about": about, "curves": [asdict(curve) for curve in curves]}
    stem.with_suffix(".json").write_text(json.dumps(written, indent=1))
    title = (
        f"{about['corpus']}, {about['n_topics']} topics, {about['threads']} threads, "
        f"{about['settings']} settings"
    )
    text = "\n".join(
        [
            f"# {title}\n",
            *(f"* {name}: {value}" for name, value in about.items()),
            "\n## Training seconds to reach a held-out perplexity\n",
            results.levels_table(curves, levels),
            f"\n## Seconds of others over those of {ours}\n",
            results.ratio_table(curves, levels, ours),
            "\n" + _LEGEND,
            "## Settings\n",
            *(
                f"* {name} {version}: {difference(settings) or 'as shared'}"
                for name, version, settings in _settings_used(curves)
            ),
            *(["\n## Failed runs\n"] if results.failures(curves) else []),
            *(f"* {line}" for line in results.failures(curves)),
        ]
    )
    stem.with_suffix(".md").write_text(text + "\n")
    draw(curves, title, stem.with_suffix(".png"))
    return text


def _settings_used(curves: list[Curve]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(c.system, c.version, c.settings) for c in curves if c.seed == 0]


def difference(settings: dict[str, Any]) -> dict[str, Any]:
    """What differs from the shared settings."""
    return {k: v for k, v in settings.items() if SHARED.get(k) != v}
