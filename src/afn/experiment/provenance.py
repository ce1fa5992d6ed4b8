"""One source of truth for an experiment: what a training was made from, and whether that is what is asked for now.

A training's `config.yaml` has three groups. `identity` is everything that can change a number: settings with `auto`
resolved, the description of the features, hashes of the data, the seed. `execution` changes how work is done, and
`presentation` what is shown. Two trainings are the same if and only if their identity is the same. What uses a
trained model builds it from this record, never from the settings of today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afn.common import config, files, record
from afn.common.errors import UserError
from afn.experiment.layout import Layout
from afn.features import front_end
from afn.systems import registry

SHOWN = 3  # differences named in a message
LEARNT_FROM = ("train", "dev")


@dataclass(frozen=True)
class Trained:
    """The record of one training."""

    directory: Path
    system: str  # the name of its folder
    seed: int
    settings: Any  # the row as it was trained, `auto` resolved
    identity: Mapping[str, Any]
    presentation: Mapping[str, Any]

    @property
    def features(self) -> Mapping[str, Any]:
        """The description of the features that it was trained on."""
        description: Mapping[str, Any] = self.identity["features"]
        return description

    @property
    def shared(self) -> dict[str, Any]:
        """The identity without the seed: equal for seeds that may be averaged and tabulated together."""
        return {name: value for name, value in self.identity.items() if name != "seed"}


def features_of(layout: Layout, subset: str, settings: Any) -> dict[str, Any]:
    """The record of the features of a subset that a system's `settings` ask for.

    Raises UserError if stage -1 has not finished, or made them with other settings.
    """
    directory = layout.features(subset, settings.features.name)
    found = complete_features(directory)
    description = found["identity"]["features"]
    now = front_end.describe(settings.features, backend=description["backend"])
    if odd := record.differences(description, now):
        raise UserError(f"{directory}: extracted with other settings ({words(odd)}). Run stage -1 with these settings.")
    return found


def complete_features(directory: Path) -> dict[str, Any]:
    """The record of the features in `directory`; UserError if stage -1 has not finished."""
    if not record.exists(directory):
        raise UserError(f"{directory}: no complete features. Run stage -1 first.")
    return record.read(directory)


def asked(settings: Any, description: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a training that `settings` ask for, but for its data and seed."""
    return {"settings": registry.system_class(settings).identity(settings), "features": dict(description)}


def identity(layout: Layout, settings: Any, seed: int) -> dict[str, Any]:
    """The identity of the training that `settings` ask for, from the features of train and dev as they are now."""
    made = {subset: features_of(layout, subset, settings) for subset in LEARNT_FROM}
    descriptions = [found["identity"]["features"] for found in made.values()]
    if odd := record.differences(*descriptions):
        raise UserError(f"{layout.corpus_data}: features of train and dev differ ({words(odd)}). Run stage -1 again.")
    tables = registry.system_class(settings).tables(settings)
    data = {
        subset: {"features": found["content"]}
        | {table: files.sha256(layout.subset(subset) / table) for table in tables}
        for subset, found in made.items()
    }
    return {**asked(settings, descriptions[0]), "data": data, "seed": seed}


def write(
    directory: Path, system: str, settings: Any, identity: Mapping[str, Any], adapted: Mapping[str, Sequence[Any]]
) -> None:
    """Record the training that begins in `directory`; `adapted` are the values that the corpus has changed."""
    groups = config.groups(settings)
    if adapted:
        groups["presentation"]["adapted_by_corpus"] = {
            name: f"{then} -> {now}" for name, (then, now) in adapted.items()
        }
    record.write(directory, {"system": system, **groups, "identity": identity})


def read(directory: Path) -> Trained:
    """The record of the training in `directory`. UserError if it is missing or cannot be used."""
    path = directory / record.NAME
    if not path.is_file():
        raise UserError(f"{directory}: not trained. Run stage 0 first.")
    content = record.read(directory)
    try:
        identity, seed = content["identity"], int(content["identity"]["seed"])
        presentation = {k: v for k, v in content["presentation"].items() if k != "adapted_by_corpus"}
        settings = {key: value for key, value in identity["settings"].items() if key != "files"}
        of_features = {
            key: value for key, value in identity["features"].items() if key not in ("backend", "extractor", "options")
        }
        settings = config.merge(config.merge({**settings, "features": of_features}, content["execution"]), presentation)
        built = config.build(registry.settings_type(), settings, str(path))
        return Trained(directory, str(content["system"]), seed, built, identity, presentation)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{path}: not the record of a training. Train again with --force.") from None


def check(trained: Trained, settings: Any) -> None:
    """Raise UserError, which names what differs, unless `settings` ask for what was trained (data aside)."""
    backend = trained.features["backend"]
    now = asked(settings, front_end.describe(settings.features, backend=backend))
    then = {name: trained.identity[name] for name in now}
    if odd := differences(then, now, settings):
        raise UserError(
            f"{trained.directory}: trained with other settings than those of now ({words(odd)}). Use the settings it "
            "was trained with, or train again: stage 0 with --force."
        )


def differences(then: Mapping[str, Any], now: Mapping[str, Any], settings: Any) -> dict[str, tuple[Any, Any]]:
    """The differences of two identities, but for settings that are `auto` now: those are as the training had them."""
    auto = {f"settings.{name}" for name, value in record.flat(config.plain(settings)).items() if value == "auto"}
    return {name: values for name, values in record.differences(then, now).items() if name not in auto}


def alike(
    directory: Path, folders: Mapping[int, Path], like: Trained | None = None
) -> tuple[dict[int, Trained], list[str]]:
    """The trainings in `folders` that may be averaged and tabulated, by seed, and a sentence for each seed left out.

    Their identity is the same but for the seed: that of `like`, else of the averaged scores in the system's
    `directory`, else the one that most seeds have, of equals the first. UserError if no record can be read.
    """
    found: dict[int, Trained] = {}
    left_out: dict[int, str] = {}
    for seed, folder in folders.items():
        try:
            found[seed] = read(folder)
        except UserError as error:
            left_out[seed] = str(error)
    if like is None and found:
        scores = directory / "scores"
        averaged = record.read(scores).get("identity", {}).get("trained", {}) if record.exists(scores) else {}
        shared = [of.shared for of in found.values()]
        like = max(
            found.values(),
            key=lambda of: (not record.differences(averaged, of.shared), shared.count(of.shared)),
        )
    for seed, of in found.items():
        if like and (odd := record.differences(like.shared, of.shared)):
            left_out[seed] = f"it was trained with {words(odd, 'there')}"
    if folders and not found and like is None:
        raise UserError(next(iter(left_out.values())))
    kept = {seed: of for seed, of in found.items() if seed not in left_out}
    return kept, [f"seed {seed} is left out: {left_out[seed]}" for seed in sorted(left_out)]


def words(odd: Mapping[str, tuple[Any, Any]], now: str = "now") -> str:
    """Differences as a reader understands them: `train.epochs: 5, now 30; the features of train have changed`."""
    found = []
    for name, (then, today) in odd.items():
        parts = name.removeprefix("settings.").split(".")
        if parts[0] == "data" and len(parts) == 3:  # an imported training has no data of subsets
            what = {"features": "features", "utt2label": "labels", "utt2spk": "speakers"}.get(parts[2], parts[2])
            found.append(f"the {what} of {parts[1]} have changed")
        elif parts[0] == "files":
            found.append(f"the content of the file that `{parts[1]}` names has changed")
        else:
            found.append(f"{'.'.join(parts)}: {_shown(then)}, {now} {_shown(today)}")
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
