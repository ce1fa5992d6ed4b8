"""What two subsets of a corpus share: ids are refused, recordings and speakers are reported."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

from afn.common.errors import UserError
from afn.corpora.datadir import Utterance


def check(utterances: Mapping[str, Sequence[Utterance]], say: Callable[[str], None] = print) -> None:
    """Warn, one line each, of recordings (same file or content) and of speakers that occur in two subsets.

    Raises UserError for an utterance id that occurs in two subsets: in pooled training one would replace the other.
    """
    for (first, ones), (second, others) in combinations(utterances.items(), 2):
        if both := {u.utt for u in ones} & {u.utt for u in others}:
            raise UserError(
                f"utterance ids in both {first} and {second}: {_some(both)}. Ids must be unique over all subsets: "
                f"rename those of one subset."
            )
    for (first, ones), (second, others) in combinations(utterances.items(), 2):
        known = {_recording(u): u.utt for u in ones}
        if pairs := [f"{known[_recording(u)]} = {u.utt}" for u in others if _recording(u) in known]:
            say(f"warning: {len(pairs)} recordings of {second} also occur in {first} ({_some(pairs)})")
        if both := {u.speaker for u in ones} & {u.speaker for u in others}:
            say(f"warning: {len(both)} speakers of {second} also occur in {first} ({_some(both)})")


def _recording(utterance: Utterance) -> str:
    """What identifies a recording: its content if it is known, else its file."""
    return utterance.wav if utterance.content is None else utterance.content.sha256


def _some(names: set[str] | list[str]) -> str:
    first = min(names, key=str.encode)
    return f"{first} and {len(names) - 1} more" if len(names) > 1 else first
