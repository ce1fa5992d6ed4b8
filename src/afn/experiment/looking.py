"""Stage 1: what a system looks at: attention masks, log-likelihood ratios over time, or an evolved network."""

from collections import ChainMap

import numpy as np

from afn import systems
from afn.common import errors, record
from afn.common.errors import UserError
from afn.common.paths import SUBSETS
from afn.experiment import command_line, locks
from afn.systems import pictures
from afn.systems.subset import Subset

PER_CLASS = 4  # utterances drawn one by one
MEAN_OF = 16  # utterances behind a class mean


def main() -> None:
    parser = command_line.arguments(__doc__)
    parser.add_argument(
        "--utterances", nargs="+", metavar="UTT", help=f"ids to draw ({PER_CLASS} of each class of eval)"
    )
    options = parser.parse_args()
    here = command_line.from_arguments(options)
    seed = here.seeds[0]
    directory = here.layout.seed(here.system_name, seed)
    if not (directory / command_line.TRAINED).is_file():
        raise UserError(f"{directory}: training is not finished; run stage 0 first")
    system = systems.build(here.system, seed)
    if not system.picture:
        print(f"attention: {here.system.title} has nothing to look into; nothing to draw")
        return
    subsets = {name: command_line.subset(here, name) for name in SUBSETS if name in command_line.prepared(here)}
    default = subsets.get("eval") or list(subsets.values())[-1]
    chosen = named(options.utterances, subsets) if options.utterances else spread(default, PER_CLASS)
    averaged = spread(default, MEAN_OF)

    out = here.layout.system(here.system_name) / "attention"
    made_from = record.make(
        {"seed": seed, "utterances": chosen, "means": averaged, "picture": system.picture},
        {"weights": system.weights(directory), **{name: command_line.features_record(here, name) for name in subsets}},
    )
    if record.stands(out, made_from) and not here.force:
        print(f"attention: {out} stands; --force draws it anew")
        return
    labels = ChainMap({}, *(subset.labels for subset in subsets.values()))
    features = ChainMap({}, *(subset.features for subset in subsets.values()))
    wanted = pictures.Chosen(chosen, averaged, labels, features)
    with locks.hold(out):
        system.load(directory)
        record.remove(out)
        pictures.drawer(system.picture)(system, wanted, here.system.title, seed, out)
        record.write(out, made_from)
    print(f"attention: wrote {out}: pictures of {len(chosen)} utterances")


def named(utterances: list[str], subsets: dict[str, Subset]) -> list[str]:
    """The ids that the user named; UserError for one that no subset holds."""
    for utt in utterances:
        if not any(utt in subset.labels for subset in subsets.values()):
            raise UserError(f"--utterances {utt}: not in {', '.join(subsets)}; name ids as in utt2label, without .wav")
    return list(dict.fromkeys(utterances))


def spread(subset: Subset, per_class: int) -> list[str]:
    """Up to `per_class` genuine, then as many replayed utterances, evenly spread over the list."""
    chosen = []
    for label in ("genuine", "spoof"):
        of_class = [utt for utt, wanted in subset.labels.items() if wanted == label]
        places = np.linspace(0, len(of_class) - 1, min(per_class, len(of_class))).round().astype(int)
        chosen += [of_class[place] for place in places]
    return chosen


if __name__ == "__main__":
    errors.run(main)
