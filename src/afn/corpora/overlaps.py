"""What makes figures of a corpus doubtful: recordings and speakers in two subsets, doubles, a class that is missing."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from afn.common.errors import UserError
from afn.common.labels import LABELS
from afn.corpora.datadir import Utterance
from afn.corpora.kind import Say


def check(utterances: Mapping[str, Sequence[Utterance]], say: Say = print) -> None:
    """Warn, one line each, of recordings (same file or content) that occur twice, of shared speakers and lone classes.

    Raises UserError for an utterance id that occurs in two subsets: in pooled training one would replace the other.
    """
    for (first, ones), (second, others) in combinations(utterances.items(), 2):
        if both := {u.utt for u in ones} & {u.utt for u in others}:
            raise UserError(
                f"utterance ids in both {first} and {second}: {_some(both)}. Ids must be unique over all subsets: "
                f"rename those of one subset."
            )
    recordings = {subset: _recordings(listed) for subset, listed in utterances.items()}
    for subset, listed in utterances.items():
        if absent := [label for label in LABELS if all(u.label != label for u in listed)]:
            say(f"warning: {subset}: no {absent[0]} recording; training and error rates need both classes")
        known = recordings[subset]
        if pairs := [f"{known[_recording(u)].utt} = {u.utt}" for u in listed if known[_recording(u)] is not u]:
            say(f"warning: {len(pairs)} recordings of {subset} are listed twice ({_some(pairs)})")
        if pairs := [f"{known[_recording(u)].utt} = {u.utt}" for u in listed if known[_recording(u)].label != u.label]:
            say(f"warning: {len(pairs)} recordings of {subset} are listed as genuine and as spoof ({_some(pairs)})")
    for (first, ones), (second, others) in combinations(utterances.items(), 2):
        known = recordings[first]
        if pairs := [f"{known[_recording(u)].utt} = {u.utt}" for u in others if _recording(u) in known]:
            say(f"warning: {len(pairs)} recordings of {second} also occur in {first} ({_some(pairs)})")
        if both := {u.speaker for u in ones} & {u.speaker for u in others}:
            say(f"warning: {len(both)} speakers of {second} also occur in {first} ({_some(both)})")


_Recording = tuple[str, int | None, float | None, float | None]


def _recording(u: Utterance) -> _Recording:
    """What identifies a recording: its content if it is known, else its file, and the part of it."""
    return (u.wav if u.content is None else u.content.sha256), u.channel, u.start, u.end


def _recordings(listed: Sequence[Utterance]) -> dict[_Recording, Utterance]:
    """The first utterance of every recording."""
    return {_recording(u): u for u in reversed(listed)}


def _some(names: set[str] | list[str]) -> str:
    first = min(names, key=str.encode)
    return f"{first} and {len(names) - 1} more" if len(names) > 1 else first
