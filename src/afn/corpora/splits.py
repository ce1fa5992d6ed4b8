"""A corpus without subsets is divided by speaker, reproducibly."""

from collections.abc import Mapping, Sequence

from afn.augment.random_streams import stream
from afn.common.errors import UserError


def by_speaker(groups: Mapping[str, Sequence[str]], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """The subset of every speaker; UserError if a subset with a share gets no speaker.

    `groups` are speakers by what is to be balanced, for example their language: every subset gets speakers of every
    group in the same proportion, as far as whole speakers allow. `shares` (subset -> its share of the speakers) need
    not add up to one. Another seed gives another division; the order of speakers does not matter.
    """
    places = []  # of a speaker within its group, 0 to 1: groups alternate in this order
    for group, speakers in sorted(groups.items()):
        order = stream(seed, "split", group).permutation(len(speakers))
        names = sorted(speakers, key=str.encode)
        places += [((i + 0.5) / len(names), group, names[k]) for i, k in enumerate(order)]
    ordered = [speaker for _, _, speaker in sorted(places)]
    wanted = {subset: share for subset, share in shares.items() if share > 0}
    chosen: dict[str, str] = {}
    done, total = 0.0, sum(wanted.values())
    for subset, share in wanted.items():
        first, done = round(len(ordered) * done / total), done + share
        speakers = ordered[first : round(len(ordered) * done / total)]
        if not speakers:
            raise UserError(f"{subset}: no speaker is left for it: {len(ordered)} speakers are too few to be divided.")
        chosen |= dict.fromkeys(speakers, subset)
    return chosen
