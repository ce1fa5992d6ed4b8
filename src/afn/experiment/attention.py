"""Figures of what a trained system looks at: what stage 1 does."""

from collections import ChainMap

import numpy as np

from afn.common import record
from afn.common.errors import UserError
from afn.common.files import sha256
from afn.common.labels import LABELS
from afn.experiment import locks, scoring
from afn.experiment.command_line import Stage, prepared, subset
from afn.systems import registry
from afn.systems.protocol import Chosen
from afn.systems.subset import Subset

PER_CLASS = 4  # utterances drawn one by one
MEAN_OF = 16  # utterances behind a class mean


def draw(here: Stage, utterances: list[str] | None) -> None:
    """Draw the figures of the first seed's model, for `utterances` or some of each class of eval."""
    trained = scoring.trained_seed(here, here.seeds[0])
    system = registry.build(trained.settings, trained.seed)
    if not system.figures:
        print(f"attention: {here.system.title} has no attention or other inner view; nothing to draw")
        return
    names = prepared(here.layout)
    made = {name: scoring.features(here, trained, name)["content"] for name in names}
    subsets = {name: subset(here.layout, name, here.system.features.name) for name in names}
    default = subsets.get("eval") or list(subsets.values())[-1]
    chosen = named(utterances, subsets) if utterances else of_each_class(default, PER_CLASS)
    averaged = of_each_class(default, MEAN_OF)
    out = here.layout.system(here.system_name) / "attention"
    identity = {
        "seed": trained.seed,
        "title": here.system.title,
        "utterances": chosen,
        "means": averaged,
        "weights": sha256(system.weights(trained.directory)),
        "features": made,
    }
    if here.current(out, identity):
        print(f"attention: {out} is up to date; --force draws it again")
        return
    labels = ChainMap({}, *(dict(one.labels) for one in subsets.values()))
    features: ChainMap[str, np.ndarray] = ChainMap({}, *(one.features for one in subsets.values()))  # type: ignore[arg-type]
    with locks.hold(out):
        system.load(trained.directory)
        record.remove(out)
        system.draw(Chosen(chosen, averaged, labels, features), out)
        record.write(out, {"identity": identity})
    print(f"attention: wrote {out}: {system.figures} of {len(chosen)} utterances")


def named(utterances: list[str], subsets: dict[str, Subset]) -> list[str]:
    """The ids that the user named; UserError for one that is in no subset."""
    for utt in utterances:
        if not any(utt in one.labels for one in subsets.values()):
            raise UserError(f"--utterances {utt}: not in {', '.join(subsets)}. Name ids as in utt2label, without .wav.")
    return list(dict.fromkeys(utterances))


def of_each_class(of: Subset, per_class: int) -> list[str]:
    """Up to `per_class` genuine, then as many replayed utterances, evenly spaced over the list."""
    chosen = []
    for label in LABELS:
        of_class = [utt for utt, wanted in of.labels.items() if wanted == label]
        places = np.linspace(0, len(of_class) - 1, min(per_class, len(of_class))).round().astype(int)
        chosen += [of_class[place] for place in places]
    return chosen
