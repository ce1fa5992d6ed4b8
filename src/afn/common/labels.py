"""The names that every part of the project shares: subsets of a corpus, and the two classes."""

from pathlib import Path

from afn.common import tables
from afn.common.errors import UserError

SUBSETS = ("train", "dev", "eval")
GENUINE, SPOOF = "genuine", "spoof"
LABELS = (GENUINE, SPOOF)
BONA_FIDE = ("bonafide", "bona-fide", "bona_fide")  # spellings of the ASVspoof corpora since 2019


def parse(text: str, where: str) -> str:
    """`genuine` or `spoof`; the spellings of bona fide are genuine. Raises UserError, which begins with `where`."""
    if text in BONA_FIDE:
        return GENUINE
    if text not in LABELS:
        raise UserError(f"{where}: unknown label {text!r}. Write {GENUINE} (or {BONA_FIDE[0]}) or {SPOOF}.")
    return text


def read(path: Path, fix: str = "") -> dict[str, str]:
    """The labels of a file with `utt genuine|spoof` lines, in its order. Raises UserError as `tables.rows` does."""
    return {row.fields[0]: parse(row.fields[1], row.where) for row in tables.rows(path, "utt genuine|spoof", fix=fix)}
