"""A vocabulary in a file: one word to a line."""

from __future__ import annotations

from dpsvi.datasets.files import Source, open_bytes
from dpsvi.datasets.formats.uci_lines import Lines, bad_file

_NEEDED = "need one word to a line"


def read_words(
    vocab: Source, n_words: int | None = None, promised_by: str = ""
) -> tuple[str, ...]:
    """Read words, one to a line in UTF-8, plain or gzip.

    Parameters
    ----------
    vocab : path or binary file
        The file.
    n_words : int or None
        How many there must be.
    promised_by : str
        The file whose header says so.

    Raises
    ------
    ValueError
        If a line is empty or not UTF-8, or there are more or fewer words.
    """
    with open_bytes(vocab) as (file, where):
        raw = b"".join(Lines(file, where).blocks())
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"found the byte {raw[error.start]:#04x}, which is not UTF-8"
        raise bad_file(where, line, found, _NEEDED) from error
    # Not splitlines(), which also cuts at characters that words may hold.
    words = [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]
    if words == [""]:
        words = []
    if "" in words:
        raise bad_file(where, words.index("") + 1, "found an empty line", _NEEDED)
    if n_words is not None and len(words) != n_words:
        line = min(len(words), n_words) + 1
        needed = f"the header of {promised_by} promises {n_words:,}"
        raise bad_file(where, line, f"found {len(words):,} words", needed)
    return tuple(words)
