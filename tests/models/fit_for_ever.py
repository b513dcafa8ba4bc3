"""A fit that saves at every merge and is not over before it is killed."""

from __future__ import annotations

import sys

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import make_corpus
from dpsvi.engine import checkpoint

if __name__ == "__main__":
    checkpoint._EVERY = checkpoint._PAUSE = 0.0
    model = DPSVILatentDirichletAllocation(
        4, inference="cvb0", max_iter=10_000, batch_size=20, n_jobs=1, random_state=0
    )
    counts = make_corpus(300, n_topics=4, random_state=0).counts
    model.fit(counts, checkpoint=sys.argv[1])
