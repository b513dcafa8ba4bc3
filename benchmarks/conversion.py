"""From a UCI file to a corpus on disk, and back into memory.

    python benchmarks/conversion.py

Writes Wikipedia as a gzip file of UCI lines first (level 6; a minute or two), which
does not count. Prints Markdown: megabytes of gzip per second of one core, peak memory
of the converting process, seconds to open the folder, and numbers read per second, one
shard after the other.
"""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd
from corpora import data_folder
from scipy import sparse

_CONVERT = "import sys; from dpsvi import datasets; datasets.convert(*sys.argv[1:])"
_LINES_AT_ONCE = 2_000_000


def write(counts: sparse.csr_matrix, file: Path) -> None:
    """Write counts as UCI lines, `document word count`, all from 1."""
    counts.sort_indices()
    documents = np.repeat(np.arange(counts.shape[0]) + 1, np.diff(counts.indptr))
    sizes = f"{counts.shape[0]}\n{counts.shape[1]}\n{counts.nnz}\n"
    with gzip.open(file, "wt", compresslevel=6) as packed:
        packed.write(sizes)
        for begin in range(0, counts.nnz, _LINES_AT_ONCE):
            some = slice(begin, begin + _LINES_AT_ONCE)
            table = pd.DataFrame(
                [documents[some], counts.indices[some] + 1, counts.data[some]]
            )
            table.T.astype(int).to_csv(packed, sep=" ", header=False, index=False)


@click.command()
@click.option("--data", help="Folder of corpora; else DPSVI_BENCH_DATA.")
@click.option("--rounds", default=3, show_default=True, help="Of reading.")
def main(data: str | None, rounds: int) -> None:
    """Convert once, read several times."""
    counts = sparse.load_npz(data_folder(data) / "wikipedia.npz").tocsr()
    with tempfile.TemporaryDirectory() as temporary:
        source, folder = Path(temporary) / "docword.wiki.txt.gz", f"{temporary}/wiki"
        write(counts, source)
        subprocess.run([sys.executable, "-c", _CONVERT, source, folder], check=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        megabytes = source.stat().st_size / 1e6
        seconds = used.ru_utime + used.ru_stime

        from dpsvi import datasets

        begun = time.perf_counter()
        opened = datasets.open_corpus(folder)
        opening = time.perf_counter() - begun
        rates = []
        for _ in range(rounds):
            begun = time.perf_counter()
            n = sum(block.nnz for block in opened.blocks())
            rates.append(n / (time.perf_counter() - begun) / 1e6)
    click.echo(
        "| lines | gzip | MB/s of a core | peak memory | opened in | read |\n"
        "|---:|---:|---:|---:|---:|---:|\n"
        f"| {counts.nnz:,} | {megabytes:.0f} MB | {megabytes / seconds:.1f} "
        f"| {used.ru_maxrss / 1e3:.0f} MB | {1e3 * opening:.1f} ms "
        f"| {min(rates):.0f} to {max(rates):.0f} million/s |"
    )


if __name__ == "__main__":
    main()
