"""Commands about topic models, and the corpora that they are tried on."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from dpsvi.cli import main
from dpsvi.datasets import Corpus, make_corpus

WORDS = [f"word{w}" for w in range(40)]
CORPUS = Corpus(
    make_corpus(240, n_words=40, n_topics=3, random_state=0).counts, vocabulary=WORDS
)


class OnDisk:
    """A corpus of a few shards; stands for one that `open_corpus` opens."""

    def __init__(self, corpus: Corpus, n_shards: int = 4) -> None:
        self._shards = corpus.shard(n_shards)
        self.shape, self.vocabulary = corpus.shape, corpus.vocabulary
        self.n_documents, self.n_words = corpus.shape
        self.n_tokens = corpus.n_tokens
        self.n_sampled = 0

    @property
    def n_shards(self) -> int:
        return len(self._shards)

    def titles(self, number: int) -> None:
        return None

    @property
    def shard_sizes(self) -> list[int]:
        return [len(shard) for shard in self._shards]

    def read(self, number: int) -> Any:
        return self._shards[number].counts

    def sample(self, n: int, seed: Any = None) -> Corpus:
        self.n_sampled += n
        return Corpus(
            CORPUS[:n].counts,
            vocabulary=self.vocabulary,
            documents=[f"title of {d}" for d in range(n)],
        )

    def split(self, test_size: Any, random_state: Any = None) -> Any:
        train, test = CORPUS.split(test_size, random_state)
        return OnDisk(train), test


def call(*words: Any) -> Any:
    return CliRunner().invoke(main, list(map(str, words)))


def told(*words: Any) -> Any:
    """What a command prints as JSON."""
    done = call(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)
