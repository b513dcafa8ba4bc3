"""The page: complete in itself, readable, safe, and replaced as a whole."""

from __future__ import annotations

import os
import re
import stat

import numpy as np
import pytest
from fake_models import (
    WORDS,
    FakeModel,
    Page,
    falling_history,
    long_history,
    three_topics,
)

from dpsvi.datasets import Corpus
from dpsvi.report import page, summarise, write_report

NASTY = ("<script>", "a&b", '"quoted"', "$x^{2$", "[bold]", "日本語")


def corpus_of(words):
    counts = np.random.default_rng(0).integers(0, 4, (12, len(words)))
    return Corpus(counts, vocabulary=words, documents=[f"text {d}" for d in range(12)])


@pytest.fixture
def report(tmp_path):
    """The text of a report with all sections."""
    model = three_topics(history=falling_history())
    path = write_report(
        model, tmp_path / "topics.html", corpus=corpus_of(WORDS), title="Six animals"
    )
    return path.read_text(encoding="utf-8")


def test_all_sections_are_there(report):
    text = Page(report).text
    for part in (
        *("Six animals", "Topic 2", "Example documents", "Map of topics"),
        *("held-out perplexity", "Sievert & Shirley 2014, λ = 0.6", "n_components"),
        *WORDS,
    ):
        assert part in text


def test_the_pace_is_drawn_where_it_is_known(tmp_path, report):
    assert "Pace of the training" not in report
    model = three_topics(history=long_history())
    text = write_report(model, tmp_path / "pace.html").read_text(encoding="utf-8")
    assert "Documents per second, 20 at most" in text
    assert "staleness of pushes, 2.0 versions at most" in text


def test_nothing_is_loaded_from_outside(report):
    parsed = Page(report)
    assert not {"script", "link", "img", "iframe", "object"} & set(parsed.tags)
    assert not re.search(r"https?:|//\w|@import", report)
    links = parsed.values("href") + parsed.values("xlink:href")
    assert links
    assert all(link.startswith("#") for link in links)


def test_links_lead_somewhere_and_names_are_unique(report):
    parsed = Page(report)
    names = parsed.values("id")
    assert len(names) == len(set(names))
    references = parsed.values("href") + parsed.values("xlink:href")
    references += [f"#{name}" for name in parsed.values("aria-labelledby")]
    references += re.findall(r"url\((#[^)]+)\)", report)
    assert {reference[1:] for reference in references} <= set(names)


def test_pictures_are_described_and_have_tables(report):
    parsed = Page(report)
    assert parsed.tags.count("svg") == 3
    labels = [label for label in parsed.values("aria-label") if "opic" in label]
    assert any("map of 3 topics" in label for label in labels)
    assert "from 6 at the first measurement to 2 at the last" in report
    assert parsed.tags.count("table") == 4
    assert parsed.tags.count("caption") == 4


def test_pictures_take_all_their_colours_from_the_page(report):
    pictures = " ".join(re.findall(r"<svg.*?</svg>", report, flags=re.S))
    assert "var(--accent)" in pictures
    assert not re.search(r"#[0-9a-f]{6}\b", pictures)
    used = set(re.findall(r"var\((--[a-z]+)\)", report))
    for scheme in re.findall(r":root \{(.*?)\}", report, flags=re.S):
        missing = used - set(re.findall(r"(--[a-z]+):", scheme))
        assert missing <= {"--length", "--hue", "--kind"}
    assert "prefers-color-scheme: dark" in report


def test_words_titles_and_settings_are_escaped(tmp_path):
    model = FakeModel(np.eye(4, 6) * 9 + 0.1, words=NASTY)
    corpus = corpus_of(NASTY)
    path = write_report(
        model, tmp_path / "r.html", corpus=corpus, title="<b>&</b>", n_words=6
    )
    parsed = Page(path.read_text(encoding="utf-8"))
    assert "script" not in parsed.tags
    assert "b" not in parsed.tags
    for word in NASTY:
        assert word in parsed.text
    assert "<b>&</b>" in parsed.text


@pytest.mark.parametrize("n_topics", [1, 2, 3, 30])
def test_any_number_of_topics_makes_a_page(tmp_path, n_topics):
    components = np.random.default_rng(1).random((n_topics, 6)) + 0.1
    path = write_report(FakeModel(components), tmp_path / "r.html")
    parsed = Page(path.read_text(encoding="utf-8"))
    assert parsed.values("class").count("card") == n_topics
    assert ("Map of topics" in parsed.text) == (n_topics >= 3)
    assert ("6 smaller topics" in parsed.text) == (n_topics == 30)
    assert "Example documents" not in parsed.text
    assert "as X_val to see the curve" in parsed.text


def test_the_same_summary_gives_the_same_page():
    summary = summarise(three_topics(history=falling_history()), corpus_of(WORDS))
    assert page.render(summary) == page.render(summary)


def test_an_older_report_stays_if_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "r.html"
    path.write_text("old")

    def full_disk(number):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(OSError, match="no space left"):
            write_report(three_topics(), path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["r.html"]
    write_report(three_topics(), path)
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    assert os.listdir(tmp_path) == ["r.html"]


@pytest.mark.skipif(os.name != "posix", reason="file modes of POSIX")
def test_the_report_can_be_read_by_whom_the_umask_allows(tmp_path):
    umask = os.umask(0o022)
    try:
        path = write_report(three_topics(), tmp_path / "r.html")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_missing_folder_is_told_before_any_work(tmp_path):
    model = three_topics()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_report(model, tmp_path / "no" / "r.html", corpus=corpus_of(WORDS))
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_report(model, tmp_path, corpus=corpus_of(WORDS))
    assert model.transformed == []
