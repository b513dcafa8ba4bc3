"""The Python code in README.md and docs/ runs as it stands, page by page.

A block of text that directly follows one of Python is what that one prints.

Commands for a shell are not run, but what they name exists: commands of `dpsvi` with
their options, scripts, and files of the source.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from dpsvi import DPSVILatentDirichletAllocation, theory
from dpsvi.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# The opening fence at the start of a line; what it holds ends at the next fence.
BLOCK = re.compile(
    r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL
)
SHELL = re.compile(r"^```(sh|bash|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# In a sentence: a command with something behind it; a module, or a folder of them.
INLINE = re.compile(r"`(dpsvi [^`\n]+)`")
# Between the commands of a line.
_MARKS = "|;&<>()"
# Packages whose names users see.
PUBLIC = (
    "dpsvi",
    "dpsvi.datasets",
    "dpsvi.engine",
    "dpsvi.engine.problems",
    "dpsvi.models.adapter",
    "dpsvi.models.conjugate",
    "dpsvi.plot",
    "dpsvi.report",
    "dpsvi.rl",
    "dpsvi.theory",
    "dpsvi.theory.speedup",
)
FOLDERS = ("dpsvi", "rl", "datasets", "benchmarks", "tests", "docs")
SOURCE = re.compile(rf"`((?:\w+/)*\w+\.py|(?:{'|'.join(FOLDERS)})/(?:\w+/)*)`")


def _blocks(page: Path) -> list[tuple[str, str | None]]:
    """Return the code of a page, each block on the lines where the page has it.

    Beside it the output that the page shows, if it does.
    """
    text = page.read_text(encoding="utf-8")
    return [
        ("\n" * text.count("\n", 0, match.start(1)) + match[1], match[2])
        for match in BLOCK.finditer(text)
    ]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _blocks(page)], ids=lambda page: page.name
)
# Somebody on this machine may watch a cluster of their own.
@pytest.mark.filterwarnings("ignore:Port 8787 is already in use")
def test_code_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    # Every page shows something, so that readers see that it has worked.
    assert _run(page, capsys)


def _run(page: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the code of a page and return what it prints; compare what the page shows."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    whole = ""
    for block, shown in _blocks(page):
        exec(compile(block, str(page), "exec"), namespace)
        printed = capsys.readouterr().out
        assert shown in (None, printed), f"{page.name} shows\n{shown}\nnot\n{printed}"
        whole += printed
    return whole


def test_an_output_that_is_not_printed_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    text = (
        "```python\nx = 2\nprint(x)\n```\n\n```text\n2\n```\n"
        # With words between, it is no output.
        "\n```python\nprint(x + 1)\n```\n\nA formula:\n\n```text\nx\n```\n"
    )
    page.write_text(text)
    assert _run(page, capsys) == "2\n3\n"
    page.write_text(text.replace("x = 2", "x = 20"))
    with pytest.raises(AssertionError, match=r"page\.md shows"):
        _run(page, capsys)


def test_the_pages_with_output_are_found() -> None:
    assert {"speed_up.md"} <= {
        page.name for page in PAGES if any(shown for _, shown in _blocks(page))
    }


def test_the_pages_with_code_are_found() -> None:
    assert {"README.md", "tutorial.md"} <= {
        page.name for page in PAGES if _blocks(page)
    }


def _commands(page: Path) -> Iterator[list[str]]:
    """The words of each command in the shell blocks of a page."""
    for kind, block in SHELL.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            if kind == "console":
                if not line.startswith("$ "):  # what a command has printed
                    continue
                line = line.removeprefix("$ ")
            yield from _split(line)


def _split(line: str) -> Iterator[list[str]]:
    """Cut a line at pipes, semicolons and the like; leave out comments."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=_MARKS)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set(_MARKS):
            yield from [words] if words else []
            words = []
        else:
            words.append(word)
    yield from [words] if words else []


def _called(words: list[str], program: str) -> list[str] | None:
    """What stands behind a program in a command, also if another one starts it."""
    names = [Path(word).name for word in words]
    if program not in names or "install" in names:
        return None
    return words[names.index(program) + 1 :]


def _dpsvi(words: list[str]) -> list[str] | None:
    return _called(words, "dpsvi")


def _scripts(words: list[str]) -> set[str]:
    """The files that a command runs, and all that it names in benchmarks/."""
    behind = _called(words, "python") or _called(words, "python3") or []
    script = [word for word in behind if word.endswith(".py")][:1]
    return {*script, *(word for word in words if word.startswith("benchmarks/"))}


def _check(words: list[str], *, whole: bool = True) -> None:
    """Raise if `dpsvi` would not understand these words; run nothing.

    Options that are marked as such, [--option VALUE], count as given. Files need not
    exist, and if only a part of a command is told it may lack what is required.
    """
    words = [word for word in (word.strip("[]") for word in words) if word != "..."]
    command: click.Command = main
    context = click.Context(main, info_name="dpsvi", **main.context_settings)
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(words)
        if not words:
            return
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, context, info_name=name)
    given, rest, _ = command.make_parser(context).parse_args(words)
    assert not rest, f"{context.command_path} takes no {rest}"
    for parameter in command.params:
        value = given.get(parameter.name)
        if isinstance(value, str):
            if whole and not isinstance(parameter.type, click.Path):
                parameter.type.convert(value, parameter, context)
        elif whole and parameter.required and not given.get("help"):
            raise click.MissingParameter(ctx=context, param=parameter)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_for_a_shell_can_be_called(page: Path) -> None:
    for words in _commands(page):
        called = _dpsvi(words)
        if called is not None:
            _check(called)
        for name in _scripts(words):
            # Scripts of a user's own are those of docs/examples.
            places = ROOT / name, ROOT / "docs" / "examples" / name
            assert any(place.exists() for place in places), f"there is no {name}"
    for text in INLINE.findall(page.read_text(encoding="utf-8")):
        _check(shlex.split(text)[1:], whole=False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dpsvi fit corpus/ --topcis 5 -o model.safetensors", "No such option"),
        ("time .venv/bin/dpsvi fits corpus/", "No such command"),
        ("dpsvi rl tarin CartPole-v1", "No such command"),
        ("dpsvi demo && dpsvi fit corpus/ -k 5", "Missing option"),
        ("dpsvi fit corpus/ -k five -o model.safetensors", "not a valid integer"),
        ("dpsvi topics model.safetensors | dpsvi topics", "Missing argument"),
        ("dpsvi calibrate --bandwidth", "requires an argument"),
    ],
)
def test_a_wrong_command_is_found(line: str, message: str) -> None:
    *_, words = [found for found in map(_dpsvi, _split(line)) if found is not None]
    with pytest.raises(click.UsageError) as caught:
        _check(words)
    assert message in caught.value.format_message()


def test_commands_are_found_whatever_stands_around_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\npip install dpsvi  # dpsvi no\nA=1 dpsvi fit a/ \\\n  -k 5 [-o b]; x\n"
        "```\n```console\n$ dpsvi demo | head\ndpsvi says\n```\n"
    )
    called = [_dpsvi(words) for words in _commands(page)]
    fit = ["fit", "a/", "-k", "5", "[-o", "b]"]
    assert called == [None, fit, None, ["demo"], None]
    _check(fit)
    assert {"README.md", "agents.md", "corpora.md", "speed_up.md"} <= {
        page.name for page in PAGES if any(_dpsvi(words) for words in _commands(page))
    }


@cache
def _places() -> list[str]:
    """All files and folders of the source, below a slash."""
    return [
        f"/{path.relative_to(ROOT).as_posix()}" + "/" * path.is_dir()
        for folder in FOLDERS
        for path in [ROOT / folder, *(ROOT / folder).rglob("*")]
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_source_exist(page: Path) -> None:
    named = set(SOURCE.findall(page.read_text(encoding="utf-8")))
    assert [
        name
        for name in sorted(named)
        # In models/NAME/ a reader's own model would lie.
        if "NAME" not in name and not any(it.endswith(f"/{name}") for it in _places())
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing = [name for name in targets if not (page.parent / name).exists()]
    assert not missing


# What the page of names lists: one name, or a module with all that it exports.
LISTED = re.compile(r"^\.\. (?:auto|py:)(\w+):: (\S+)\n((?:   .*\n)*)", re.MULTILINE)


def _listed(page: str) -> Iterator[str]:
    """The full names that a page of names lists, where they are or where they lie."""
    for kind, name, options in LISTED.findall(page):
        if kind != "module":
            yield name
        elif re.search(r"^ +:members:$", options, re.MULTILINE):
            yield from (f"{name}.{it}" for it in importlib.import_module(name).__all__)


def _not_listed(package: str, page: str) -> list[str]:
    """The public names of a package that a page of names lacks."""
    listed = set(_listed(page))
    module = importlib.import_module(package)
    return [
        name
        for name in module.__all__
        if not listed & {f"{package}.{name}", _home(getattr(module, name))}
    ]


def _home(thing: object) -> str:
    """Where a class or a function is defined; nowhere for other things."""
    name = getattr(thing, "__qualname__", "")
    return f"{getattr(thing, '__module__', '')}.{name}"


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_is_listed(package: str) -> None:
    if package == "dpsvi.rl":
        pytest.importorskip("torch")
        pytest.importorskip("gymnasium")
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert _not_listed(package, page) == []


def test_all_that_is_listed_exists() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("gymnasium")
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    names = list(_listed(page))
    assert len(names) > 100
    for name in names:
        pkgutil.resolve_name(name)


def test_a_name_that_is_not_listed_is_found() -> None:
    page = (
        ".. automodule:: dpsvi.theory\n   :no-members:\n\n"
        ".. autoclass:: dpsvi.engine.Plan\n   :members: run\n"
        ".. autofunction:: dpsvi.engine.run.run\n"
    )
    missing = _not_listed("dpsvi.engine", page)
    assert {"Master", "Result", "Parameters"} <= set(missing)
    assert not {"Plan", "run"} & set(missing)
    assert len(_not_listed("dpsvi.theory", page)) == len(theory.__all__)
    page += ".. automodule:: dpsvi.theory\n   :members:\n"
    assert _not_listed("dpsvi.theory", page) == []


def test_the_docstring_tells_every_parameter_and_its_default() -> None:
    text = inspect.getdoc(DPSVILatentDirichletAllocation) or ""
    section = text.split("Parameters\n---")[1].split("Attributes\n---")[0]
    told = re.findall(r"^(\w+) : .*, default=(.+)$", section, re.MULTILINE)
    parameters = inspect.signature(DPSVILatentDirichletAllocation).parameters.values()
    assert [(name, ast.literal_eval(value)) for name, value in told] == [
        (parameter.name, parameter.default) for parameter in parameters
    ]
