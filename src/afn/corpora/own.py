"""A corpus of one's own: Kaldi data directories that already exist.

    kind: datadir
    name: mine
    train: /corpora/mine/train
    dev: /corpora/mine/dev
    eval: /corpora/mine/eval

Each directory holds `wav.scp` (id and file) and `utt2label` (id and `genuine` or `spoof`). `utt2spk` and `utt2cond`
(environment, playback device, recorder) are read where they stand; else every utterance is its own speaker, and its
condition is unknown. With --allow-pipes a line of wav.scp may be a pipe, `id program … |` (corpora/pipes.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from afn.common import paths
from afn.common.errors import UserError
from afn.corpora import datadir, pipes, recordings
from afn.corpora.datadir import Utterance


@dataclass(frozen=True)
class OwnCorpus:
    """A corpus in existing data directories; a subset that is not given does not exist."""

    kind: Literal["datadir"]
    name: str  # its folder under data/ and exp/
    train: str | None = None  # a data directory; null: there is none
    dev: str | None = None  # the same, for selection and calibration
    eval: str | None = None  # the same, for the results
    systems: dict[str, Any] = field(default_factory=dict)  # settings that systems take on this corpus

    def __post_init__(self) -> None:
        if not any((self.train, self.dev, self.eval)):
            raise ValueError("train, dev, eval: none is given; name at least one data directory")

    @property
    def directories(self) -> dict[str, Path]:
        """The data directories that are given, by subset; `~` is expanded, a relative path starts at the repository."""
        given = {subset: getattr(self, subset) for subset in paths.SUBSETS}
        return {subset: recordings.located(path) for subset, path in given.items() if path}


def utterances(
    directories: Mapping[str, Path], *, piped: Path | None = None, say: Callable[[str], None] = print
) -> dict[str, list[Utterance]]:
    """The utterances of each subset, sorted bytewise by id, their recordings checked.

    A relative path in a wav.scp starts at the repository. `say` hears what was filled in, and of recordings that stand
    both in eval and in a subset that systems learn from. `piped` is a folder for what the pipes of a wav.scp put out;
    without it they are refused.

    Raises UserError for missing, malformed or contradicting tables, for segments, for pipes that are refused or fail,
    and for recordings that are missing, unreadable, cut short, empty or not 16 kHz mono 16-bit PCM.
    """
    found = {subset: _read(subset, directory, piped is not None, say) for subset, directory in directories.items()}
    for subset in [subset for subset in found if subset != "eval"]:
        if both := {u.wav for u in found[subset]} & {u.wav for u in found.get("eval", ())}:
            say(f"warning: {len(both)} recordings stand in both {subset} and eval ({min(both)}); eval is not unseen")
    if piped:
        found = {subset: pipes.run(listed, piped / subset, subset) for subset, listed in found.items()}
    for subset, listed in found.items():
        recordings.check(subset, [paths.located(utterance.wav) for utterance in listed])
    return found


def _read(subset: str, directory: Path, allow_pipes: bool, say: Callable[[str], None]) -> list[Utterance]:
    if not directory.is_dir():
        raise UserError(f"{directory}: no such data directory; mend corpus.{subset}")
    if (segments := directory / "segments").exists():
        raise UserError(f"{segments}: parts of recordings are not read; cut them into files of their own first")
    mend = "a data directory of your own needs wav.scp and utt2label, for the same utterances"
    listed = datadir.read(directory, fill=True, pipes=allow_pipes, mend=mend)
    if not (directory / "utt2spk").exists():
        say(f"{subset}: no utt2spk; every utterance counts as its own speaker")
    if not (directory / "utt2cond").exists():
        say(f"{subset}: no utt2cond; environment, playback and recorder are unknown")
    return [u if datadir.is_pipe(u.wav) else replace(u, wav=paths.portable(recordings.located(u.wav))) for u in listed]
