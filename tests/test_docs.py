"""The Python code in README.md and docs/ runs as it stands, page by page."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from dpsvi import DPSVILatentDirichletAllocation

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# The opening fence at the start of a line; what it holds ends at the next fence.
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(page: Path) -> list[str]:
    """Return the code of a page, each block on the lines where the page has it."""
    text = page.read_text(encoding="utf-8")
    return [
        "\n" * text.count("\n", 0, match.start(1)) + match[1]
        for match in BLOCK.finditer(text)
    ]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _blocks(page)], ids=lambda page: page.name
)
# Somebody on this machine may watch a cluster of their own.
@pytest.mark.filterwarnings("ignore:Port 8787 is already in use")
def test_code_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for block in _blocks(page):
        exec(compile(block, str(page), "exec"), namespace)
    # Every page shows something, so that readers see that it has worked.
    assert capsys.readouterr().out


def test_the_pages_with_code_are_found():
    assert {"README.md", "tutorial.md"} <= {
        page.name for page in PAGES if _blocks(page)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing = [name for name in targets if not (page.parent / name).exists()]
    assert not missing


def test_the_docstring_tells_every_parameter_and_its_default():
    text = inspect.getdoc(DPSVILatentDirichletAllocation)
    section = text.split("Parameters\n---")[1].split("Attributes\n---")[0]
    told = re.findall(r"^(\w+) : .*, default=(.+)$", section, re.MULTILINE)
    parameters = inspect.signature(DPSVILatentDirichletAllocation).parameters.values()
    assert [(name, ast.literal_eval(value)) for name, value in told] == [
        (parameter.name, parameter.default) for parameter in parameters
    ]
