"""Ready-made corpora of real text that need no download."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec

from dpsvi.datasets.corpus import Corpus
from dpsvi.datasets.docstrings import find_docstrings, prose

PACKAGES = (
    *("numpy", "scipy", "sklearn", "matplotlib", "pandas"),
    *("numba", "dask", "distributed", "torch"),
)

# Words that the conventions of docstrings put into nearly all of them, whatever
# they are about. What is left can be read as topics.
_BOILERPLATE = """
    parameters parameter param params returns return returned returning rtype raises
    raise raised warns warnings yields notes note examples example references
    reference see also attributes attribute methods method details documentation
    array arrays arraylike ndarray default defaults shape dtype optional int ints
    integer integers float floats bool boolean str string strings dict dictionary
    list lists tuple tuples callable object objects none true false auto nan self cls
    args kwargs kwarg arg argument arguments keyword keywords func function functions
    class classes module instance instances value values type types valueerror
    typeerror api python numpy scipy sklearn scikit matplotlib pandas numba dask
    distributed torch pytorch version like non use used uses using given set sets
    number numbers specified specify specifies passed pass provided called call calls
    input inputs output outputs result results
    """
BOILERPLATE = frozenset(_BOILERPLATE.split())

# Plain words only: parts of dotted names, names with underscores or digits, and
# calls are code, not text.
_WORD = re.compile(r"(?<![\w.])[a-z]{3,}(?![\w(])")


def load_docstrings(
    *,
    packages: Iterable[str] | None = None,
    min_words: int = 20,
    min_df: int | float = 5,
    max_df: int | float = 0.2,
) -> Corpus:
    """Make a corpus of the docstrings of the installed scientific packages.

    Real text without a download: thousands of short documents on arrays, statistics,
    plots, learning and so on. **The corpus depends on what is installed**: other
    packages or other versions give other documents, so figures from it can only be
    compared on one machine. With the same files it is the same in every run.

    The sources are parsed but never imported or run, at roughly 5 MB a second;
    docstrings of compiled functions are found only where a Python file adds them.
    Doctests, code, formulas, links and bibliographies are cut out, then English stop
    words, the boilerplate of docstrings (`dpsvi.datasets.loaders.BOILERPLATE`) and
    anything that looks like an identifier. Of documents with the same words left in
    the same order, the first is kept.

    Parameters
    ----------
    packages : iterable of str or None
        Names of top-level packages; None: those of `dpsvi.datasets.loaders.PACKAGES`
        that are installed.
    min_words : int
        Leave out documents with fewer words than this, counted after the cuts above.
    min_df, max_df : int or float
        Keep words found in at least / at most this many documents (int) or this
        share of them (float). Documents that are left without words are dropped.

    Returns
    -------
    Corpus
        With dotted names such as ``"scipy.stats._kde.gaussian_kde"`` as titles.

    Raises
    ------
    ValueError
        If a package asked for is not installed, or no document or word is left.
    TypeError
        If `packages` is one string.

    Examples
    --------
    >>> from dpsvi.datasets import load_docstrings
    >>> corpus = load_docstrings(packages=["numpy"])
    >>> len(corpus) > 500, "matrix" in corpus.vocabulary
    (True, True)
    """
    texts = dict(_documents(_installed(packages), min_words))
    if not texts:
        raise ValueError(
            f"no docstring has {min_words} words or more; lower min_words or name "
            "other packages."
        )
    corpus = Corpus.from_texts(
        texts,
        documents=texts.values(),
        stop_words=None,
        min_df=min_df,
        max_df=max_df,
        name="docstrings",
    )
    return corpus[corpus.counts.sum(axis=1) > 0]


def _installed(packages: Iterable[str] | None) -> list[str]:
    if isinstance(packages, str):
        raise TypeError(f"packages is the string {packages!r}; give a list of names.")
    wanted = list(PACKAGES if packages is None else packages)
    for package in wanted:
        if "." in package:
            raise ValueError(
                f"{package!r} is not a top-level package; give names without dots."
            )
    missing = [package for package in wanted if find_spec(package) is None]
    if missing and packages is not None:
        raise ValueError(
            f"not installed: {', '.join(missing)}; install them or leave them out."
        )
    return [package for package in wanted if package not in missing]


def _documents(packages: list[str], min_words: int) -> Iterator[tuple[str, str]]:
    """Yield the words kept of each docstring, and its title; each text once."""
    # Imported here: reading a corpus from disk must not load scikit-learn.
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    stop_words = ENGLISH_STOP_WORDS | BOILERPLATE
    seen = set()
    for package in packages:
        for title, docstring in find_docstrings(package):
            found = _WORD.findall(prose(docstring).lower())
            words = [word for word in found if word not in stop_words]
            text = " ".join(words)
            if len(words) >= max(min_words, 1) and text not in seen:
                seen.add(text)
                yield text, title
