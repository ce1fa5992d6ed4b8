"""Stage 2: one score per utterance of dev and eval, for every seed, and averaged over seeds."""

import math
from functools import partial
from pathlib import Path
from typing import Any

from afn import systems
from afn.common import errors, files, record
from afn.common.errors import UserError
from afn.experiment import command_line, locks, shards
from afn.metrics import score_files as score_files

SUBSETS = ("dev", "eval")
PATIENCE = 60.0  # seconds to wait for another run's averaging, which takes a moment


def main() -> None:
    parser = command_line.arguments(__doc__)
    shards.add_option(parser)
    options = parser.parse_args()
    here = command_line.from_arguments(options)
    subsets = [name for name in SUBSETS if name in command_line.prepared(here)]
    for seed in here.seeds:
        score(here, seed, subsets, options.shard)
    if scored_seeds(here.layout.system(here.system_name))[0]:  # a shard may find none
        average(here, subsets)


def score(here: command_line.Stage, seed: int, subsets: list[str], shard: shards.Shard | None = None) -> None:
    """Score `subsets`, or a shard of each, with the network of one seed, unless those scores stand.

    Shards are put together if all stand.
    """
    directory = here.layout.seed(here.system_name, seed)
    if not (directory / command_line.TRAINED).is_file():
        begun = (directory / record.NAME).is_file()
        raise UserError(f"{directory}: {'training is not finished' if begun else 'not trained'}; run stage 0 first")
    system = systems.build(here.system, seed)
    made_from = record.make(
        {"subsets": subsets},
        {"weights": system.weights(directory), **{name: command_line.features_record(here, name) for name in subsets}},
    )
    whole = directory / "scores"
    if record.stands(whole, made_from) and not here.force:
        print(f"score: {whole} stands; --force makes it anew")
        return
    join = partial(joined, whole, subsets)
    if not here.force and shards.merge(whole, made_from, join):
        return
    work = shard.folder(whole) if shard else whole
    own = shard.record(made_from) if shard else made_from
    if shard and record.stands(work, own) and not here.force:
        print(f"score: {work} stands; other shards are missing")
        return
    with locks.hold(work):
        system.load(directory)
        scored = {}
        for name in subsets:
            subset = command_line.subset(here, name)
            if shard:
                subset = subset.only(shard.part(subset.utterances, system.at_once))
            scored[name] = system.score(subset) if subset.utterances else {}
        record.remove(work)  # now that nothing but writing can fail
        for name in subsets:
            path = work / f"{name}.txt"
            if scored[name] or not shard:
                score_files.write(path, scored[name])
            else:
                files.write_text(path, "")  # the list is shorter than there are shards
            print(f"score: wrote {path}: {len(scored[name])} utterances")
        record.write(work, own)
    if shard:
        shards.merge(whole, made_from, join)
    else:
        shards.clear(whole)


def joined(directory: Path, subsets: list[str], parts: list[Path]) -> None:
    """Put the scores of shards together."""
    for name in subsets:
        text = "".join((part / f"{name}.txt").read_text(encoding="utf-8") for part in parts)
        files.write_text(directory / f"{name}.txt", text)
    print(f"score: wrote {directory}: {' and '.join(subsets)} of {len(parts)} shards")


def average(here: command_line.Stage, subsets: list[str]) -> None:
    """Average all seeds that have scores: the sigmoids of networks' logits, the scores of other systems."""
    directory = here.layout.system(here.system_name)
    _, made_from = scored_seeds(directory)
    if record.stands(directory / "scores", made_from) and not here.force:
        return
    with locks.hold(directory / "scores", PATIENCE):
        scored, made_from = scored_seeds(directory)  # another run may have added one meanwhile
        record.remove(directory / "scores")
        output = OUTPUTS[systems.build(here.system, min(scored)).averaged]
        for name in subsets:
            runs = [score_files.read(scored[seed] / f"{name}.txt") for seed in sorted(scored)]
            for seed, run in zip(sorted(scored), runs, strict=True):
                if odd := run.keys() ^ runs[0].keys():
                    raise UserError(f"{scored[seed]}: {min(odd)} is not scored by every seed; run stage 2 with --force")
            score_files.write(
                directory / "scores" / f"{name}.txt",
                {utt: sum(output(run[utt]) for run in runs) / len(runs) for utt in runs[0]},
            )
        record.write(directory / "scores", made_from)
    seeds = ", ".join(map(str, sorted(scored)))
    print(f"score: wrote {directory / 'scores'}: averaged over seed{'s' if len(scored) > 1 else ''} {seeds}")


def scored_seeds(directory: Path) -> tuple[dict[int, Path], dict[str, Any]]:
    """The folders of scores in a system's `directory`, by seed, and the record of their average."""
    scored = {
        int(path.parent.parent.name[4:]): path.parent
        for path in directory.glob(f"seed*/scores/{record.NAME}")
        if path.parent.parent.name[4:].isdecimal()  # not a copy that somebody put aside
    }
    records = {f"seed{seed}": scored[seed] / record.NAME for seed in sorted(scored)}
    return scored, record.make({"seeds": sorted(scored)}, records)


def sigmoid(logit: float) -> float:
    """The network's output for a logit, without overflow."""
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


OUTPUTS = {"sigmoids": sigmoid, "scores": float}

if __name__ == "__main__":
    errors.run(main)
