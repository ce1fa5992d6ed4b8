"""Stage 1: what the attention looks at: heatmaps of chosen utterances, class means, profiles over frequency."""

from pathlib import Path

import numpy as np

import errors
import record
import stage
import systems
from errors import UserError
from evaluation import heatmaps, maps
from layout import SUBSETS
from progress import Progress
from systems.subset import Subset

PER_CLASS = 4  # utterances drawn one by one
MEAN_OF = 16  # utterances behind a class mean


def main() -> None:
    parser = stage.arguments(__doc__)
    parser.add_argument(
        "--utterances", nargs="+", metavar="UTT", help=f"ids to draw ({PER_CLASS} of each class, of eval)"
    )
    options = parser.parse_args()
    here = stage.from_arguments(options)
    seed = here.seeds[0]
    directory = here.layout.seed(here.system_name, seed)
    if not (directory / stage.TRAINED).is_file():
        raise UserError(f"{directory}: training is not finished; run stage 0 first")
    system = systems.build(here.system, seed)
    if not system.attentive:
        print(f"attention: {here.system.title} has no attention to look at; nothing to draw")
        return
    subsets = {name: stage.subset(here, name) for name in SUBSETS if name in stage.prepared(here)}
    default = subsets.get("eval") or list(subsets.values())[-1]
    chosen = named(options.utterances, subsets) if options.utterances else spread(default, PER_CLASS)
    averaged = spread(default, MEAN_OF)

    out = here.layout.system(here.system_name) / "attention"
    made_from = record.make(
        {"seed": seed, "utterances": chosen, "means": averaged, "arrays": maps.NAME},
        {"weights": system.weights(directory), **{name: stage.features_record(here, name) for name in subsets}},
    )
    if record.stands(out, made_from) and not here.force:
        print(f"attention: {out} stands; --force draws it anew")
        return
    record.remove(out)
    system.load(directory)
    draw(here, system, subsets, chosen, averaged, seed, out)
    record.write(out, made_from)
    print(f"attention: wrote {out}: {len(chosen)} utterances and the class means of {len(averaged)}")


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


def draw(
    here: stage.Stage,
    system: systems.System,
    subsets: dict[str, Subset],
    chosen: list[str],
    averaged: list[str],
    seed: int,
    out: Path,
) -> None:
    """Write one figure an utterance of `chosen`, the class means over `averaged`, and the arrays behind them."""
    label = {utt: label for subset in subsets.values() for utt, label in subset.labels.items()}
    features = {utt: subset.features for subset in subsets.values() for utt in subset.labels}
    sums: dict[str, np.ndarray] = {}
    profiles: dict[str, list[np.ndarray]] = {}
    pictures = {}
    every = list(dict.fromkeys(chosen + averaged))
    with Progress("attention", len(every)) as progress:
        for utt in every:
            spectrogram = features[utt][utt]
            mask, filtered, logit = system.attend(spectrogram)
            if utt in averaged:
                sums[label[utt]] = sums.get(label[utt], 0) + mask.astype(np.float64)
                profiles.setdefault(label[utt], []).append(mask.mean(axis=1))
            if utt in chosen:
                length = min(len(spectrogram), mask.shape[1])
                pictures[utt] = spectrogram.T[:, :length], mask[:, :length], filtered[:, :length], logit
            progress.advance()
    masks = np.concatenate([picture[1].ravel() for picture in pictures.values()])
    limits = float(np.quantile(masks, 0.005)), float(np.quantile(masks, 0.995))
    for utt, (spectrogram, mask, filtered, logit) in pictures.items():
        title = f"{utt} · {label[utt]} · score {logit:+.2f} · {here.system.title}, seed {seed}"
        heatmaps.draw_utterance(out / f"{utt}.png", spectrogram, mask, filtered, title, limits)
    deviations = {name: np.std(rows, axis=0) for name, rows in profiles.items()}
    heatmaps.draw_class_means(
        out / "class_means.png",
        {name: total / len(profiles[name]) for name, total in sums.items()},
        deviations,
        f"{here.system.title}, seed {seed}: mean attention over "
        + " and ".join(f"{len(rows)} {name}" for name, rows in profiles.items()),
    )
    kept = maps.Maps(
        seed,
        {utt: label[utt] for utt in pictures},
        {utt: picture[0] for utt, picture in pictures.items()},
        {utt: picture[1] for utt, picture in pictures.items()},
        {name: (np.mean(rows, axis=0), deviations[name]) for name, rows in profiles.items()},
        {name: len(rows) for name, rows in profiles.items()},
    )
    maps.write(out / maps.NAME, kept)


if __name__ == "__main__":
    errors.run(main)
