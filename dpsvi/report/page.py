"""Write a report as one HTML file that needs nothing but itself."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dpsvi.engine.files import PathLike, whole_file
from dpsvi.report.drawing import MAX_SHOWN
from dpsvi.report.pictures import draw_convergence, draw_map, draw_pace, draw_shares
from dpsvi.report.summary import Summary, TopicModel, summarise
from dpsvi.report.topics import RELEVANCE_WEIGHT

__all__ = ["check_path", "render", "write_page", "write_report"]

# With fewer topics a map has nothing to show.
_MIN_TOPICS_FOR_MAP = 3


def write_report(
    model: TopicModel,
    path: PathLike,
    *,
    corpus: Any = None,
    title: str = "Topics",
    n_words: int = 10,
    n_examples: int = 6,
) -> Path:
    """Write an HTML report of a fitted topic model.

    The page shows the topics with their most relevant words, their shares and a map
    of them, a few documents, how held-out perplexity fell during training, and how fast
    that was. It
    is one file without scripts and without links to anything outside; it follows
    the reader's choice of light or dark. An older file at `path` is replaced only
    when the new one is complete.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation or alike
        Fitted. Any model with ``components_`` and ``transform`` will do;
        ``history_`` and ``feature_names_in_`` are used if there.
    path : str or path-like
        File to write; its folder must exist.
    corpus : Corpus, or table of counts of shape (n_documents, n_words), or None
        Source of the topics' shares and of the example documents. Without it the
        shares come from the model's own counts and there are no examples.
    title : str
        Heading of the page.
    n_words : int
        Words to show for each topic.
    n_examples : int
        Documents to show, at most.

    Returns
    -------
    pathlib.Path
        Where the report lies.

    Raises
    ------
    FileNotFoundError
        If the folder of `path` does not exist.
    IsADirectoryError
        If `path` is a folder.
    ValueError
        If the model is not fitted, or the corpus has another number of words.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.decomposition import LatentDirichletAllocation
    >>> from dpsvi.datasets import Corpus
    >>> from dpsvi.report import write_report
    >>> corpus = Corpus.from_texts(["ape bee ape", "cat dog", "dog cat cat"])
    >>> model = LatentDirichletAllocation(2, random_state=0).fit(corpus.counts)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(model, f"{folder}/topics.html", corpus=corpus).name
    'topics.html'
    """
    place = check_path(path)
    summary = summarise(model, corpus, n_words=n_words, n_examples=n_examples)
    return write_page(summary, place, title=title)


def check_path(path: PathLike) -> Path:
    """Return `path` if a file can lie there.

    Raises
    ------
    FileNotFoundError
        If its folder does not exist.
    IsADirectoryError
        If it is a folder itself.
    """
    place = Path(path)
    if place.is_dir():
        raise IsADirectoryError(f"{place} is a folder; give the name of a file in it.")
    if not place.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {place.parent}; make it first or choose another one."
        )
    return place


def write_page(summary: Summary, path: PathLike, *, title: str = "Topics") -> Path:
    """Write the page of a summary; see `write_report`.

    Parameters
    ----------
    summary : Summary
    path : str or path-like
        File to write; its folder must exist.
    title : str
        Heading of the page.

    Returns
    -------
    pathlib.Path
        Where the page lies.
    """
    place = check_path(path)
    # Readers never see half a page.
    with whole_file(place) as draft:
        draft.write_text(render(summary, title=title), encoding="utf-8")
    return place


def render(summary: Summary, *, title: str = "Topics") -> str:
    """Return the page of a summary as HTML text."""
    from dpsvi import __version__

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(
        title=title,
        summary=summary,
        by_number={topic.number: topic for topic in summary.topics},
        pictures=_pictures(summary),
        max_shown=MAX_SHOWN,
        relevance_weight=RELEVANCE_WEIGHT,
        today=date.today(),
        version=__version__,
    )


def _pictures(summary: Summary) -> dict[str, Markup]:
    pictures = {"shares": draw_shares(summary.topics)}
    if len(summary.topics) >= _MIN_TOPICS_FOR_MAP:
        pictures["map"] = draw_map(summary)
    if summary.curve:
        pictures["convergence"] = draw_convergence(summary.curve)
    if summary.pace is not None:
        pictures["pace"] = draw_pace(summary.pace)
    # Safe: Matplotlib escapes the words that it writes into an SVG.
    return {name: Markup(svg) for name, svg in pictures.items()}
