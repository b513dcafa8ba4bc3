"""Models with known topics, and a reader of pages."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np

from dpsvi.engine.history import History

WORDS = ("ape", "bee", "cat", "dog", "eel", "fox")


class FakeModel:
    """Fitted by hand: each document's topics follow its words' topics."""

    def __init__(self, components, words=WORDS, history=None):
        self.components_ = np.asarray(components, dtype=float)
        if words is not None:
            self.feature_names_in_ = np.array(words, dtype=object)
        if history is not None:
            self.history_ = history
        self.transformed = []

    def get_params(self, deep=True):
        return {"n_components": len(self.components_), "note": "x" * 200}

    def transform(self, X):
        self.transformed.append(X.shape[0])
        owner = self.components_.argmax(axis=0)
        mixtures = np.full((X.shape[0], len(self.components_)), 1e-6)
        for word in range(X.shape[1]):
            mixtures[:, owner[word]] += np.asarray(X[:, [word]].todense()).ravel()
        return mixtures / mixtures.sum(axis=1, keepdims=True)


def three_topics(**options):
    components = [
        [50.0, 40.0, 0.1, 0.1, 0.1, 0.1],
        [0.1, 0.1, 20.0, 10.0, 0.1, 0.1],
        [0.1, 0.1, 0.1, 0.1, 5.0, 4.0],
    ]
    return FakeModel(components, **options)


def falling_history():
    history = History()
    history.append(time=0.5, documents=10.0)
    history.append(time=1.0, documents=20.0, heldout_perplexity=5.5)
    history.append(time=2.0, documents=40.0, heldout_perplexity=2.25)
    history.append(time=2.5, documents=50.0)
    return history


class Page(HTMLParser):
    """Text, tags and attributes of a page, checked for tags left open."""

    VOID = frozenset({"meta", "br", "img", "link", "hr", "input"})

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts = [], [], []
        self._open = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def values(self, name):
        return [value for key, value in self.attributes if key == name]


def long_history():
    """Ten merges; the second half is twice as fast, and stale."""
    history = History()
    for merge in range(1, 11):
        half = merge > 5
        seconds = merge - (merge - 5) / 2 if half else float(merge)
        history.append(time=seconds, documents=10.0 * merge, staleness=2.0 * half)
    return history
