"""Docstrings of installed packages as a corpus."""

from __future__ import annotations

import gc
import sys

import pytest

from dpsvi.datasets import load_docstrings
from dpsvi.datasets.docstrings import find_docstrings, prose
from dpsvi.datasets.loaders import BOILERPLATE

SOURCES = {
    "__init__.py": '"""The package."""\nraise RuntimeError("must not be run")\n',
    "shapes.py": '''
"""A module."""
if True:
    class Circle:
        r"""Round \\d."""
        def area(self):
            """Its area."""
            def inner():
                """Not seen."""
        async def later(self):
            "Single quotes."
add_newdoc("compiled", """Text of a compiled function.""")
add_newdoc("made_up.core", "thing", ("member", """Text of a member."""))
add_newdoc(1)
x = """no docstring"""
''',
    "broken.py": '"""Broken."""\ndef :\n',
    "nulls.py": '"""Null."""\0',
    "odd_escape.py": '"""Odd \\d."""\n',
    "tests/test_shapes.py": '"""A test."""\n',
    "sub/__init__.py": '"""A subpackage."""\n',
}


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    for name, text in SOURCES.items():
        path = tmp_path / "made_up" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return "made_up"


def test_names_and_docstrings_are_found(made_up):
    assert list(find_docstrings(made_up)) == [
        ("made_up", "The package."),
        ("made_up.odd_escape", r"Odd \d."),
        ("made_up.shapes", "A module."),
        ("made_up.shapes.Circle", r"Round \d."),
        ("made_up.shapes.Circle.area", "Its area."),
        ("made_up.shapes.Circle.later", "Single quotes."),
        ("made_up.compiled", "Text of a compiled function."),
        ("made_up.core.thing.member", "Text of a member."),
        ("made_up.sub", "A subpackage."),
    ]
    assert made_up not in sys.modules
    assert gc.isenabled()


def test_prose_keeps_text_alone():
    docstring = """Keep one.

    Keep two ``drop`` and :func:`drop` from https://drop.org/drop here.

    >>> drop()
    drop
    >>> for drop in drop:
    ...     drop

    Keep three.

    .. math:: drop = drop

        drop

    Keep four.

    References
    ----------
    .. [1] Drop, D. "Drop".

    Drop again.

    Examples
    --------
    Keep five:
    >>> drop"""
    text = prose(docstring)
    assert "drop" not in text.lower()
    kept = ["one", "two", "here", "three", "four", "five"]
    assert [word for word in kept if word in text] == kept


@pytest.fixture(scope="module")
def corpus():
    return load_docstrings(packages=["numpy", "scipy", "sklearn"])


def test_there_are_thousands_of_documents_from_each_package(corpus):
    packages = [title.partition(".")[0] for title in corpus.documents]
    assert len(corpus) > 1000
    assert all(packages.count(name) > 300 for name in ("numpy", "scipy", "sklearn"))
    assert list(dict.fromkeys(packages)) == ["numpy", "scipy", "sklearn"]


def test_words_are_plain_and_topical(corpus):
    words = set(corpus.vocabulary)
    assert all(word.isascii() and word.isalpha() and len(word) > 2 for word in words)
    assert not words & (BOILERPLATE | {"the", "and"})
    assert words > {"polynomial", "regression", "fourier", "cluster"}
    assert corpus.counts.sum(axis=1).min() >= 1


def test_compiled_functions_are_among_the_documents(corpus):
    assert {"numpy._core.ufunc.reduce", "scipy.special.agm"} <= set(corpus.documents)


def test_every_run_gives_the_same():
    first, again = (load_docstrings(packages=["numpy"]) for _ in range(2))
    assert first.documents == again.documents
    assert first.vocabulary == again.vocabulary
    assert (first.counts != again.counts).nnz == 0


def test_same_text_is_kept_once(made_up, tmp_path):
    text = '"""Alpha beta gamma delta."""\n'
    for name in ("one.py", "two.py"):
        (tmp_path / made_up / name).write_text(text)
    corpus = load_docstrings(packages=[made_up], min_words=4, min_df=1, max_df=1.0)
    assert corpus.documents == ("made_up.one",)
    assert corpus.vocabulary == ("alpha", "beta", "delta", "gamma")


@pytest.mark.parametrize(
    ("packages", "error", "message"),
    [
        ("numpy", TypeError, "list of names"),
        (["numpy", "not_there"], ValueError, "not installed: not_there"),
        (["scipy.stats"], ValueError, "top-level"),
    ],
)
def test_bad_packages_are_refused(packages, error, message):
    with pytest.raises(error, match=message):
        load_docstrings(packages=packages)


def test_nothing_left_is_an_error(made_up):
    with pytest.raises(ValueError, match="min_words"):
        load_docstrings(packages=[made_up], min_words=10_000)
