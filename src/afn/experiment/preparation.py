"""Stage -2: a corpus becomes data/<corpus>/{train,dev,eval}, three Kaldi data directories with a nuisance.csv each.

Nothing of a user's is overwritten or deleted: output goes only into folders that the project has marked as its own
(`afn.common.owned`), and what a subset leaves behind there goes file by file.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from afn import corpora
from afn.common import owned, parallel, paths, record
from afn.common.errors import UserError
from afn.common.labels import GENUINE, SUBSETS
from afn.common.progress import Progress
from afn.corpora import datadir, overlaps, recordings
from afn.corpora.datadir import Utterance
from afn.experiment import locks
from afn.experiment.layout import Layout
from afn.features import audio, nuisance

OURS = (record.NAME,)  # directly in data/<corpus>, which the user may share

Recording = tuple[str, str, int | None]  # utterance, wav, bytes of the file
Measured = tuple[str, dict[str, float]]  # utterance, nuisances


def prepare(
    corpus: corpora.CorpusKind,
    layout: Layout,
    *,
    jobs: int = 1,
    force: bool = False,
    allow_pipes: bool = False,
) -> dict[str, list[Utterance]] | None:
    """Write the data directories of a corpus, and the nuisances of its recordings, unless they are up to date.

    Args:
        corpus: its settings.
        layout: where data/<corpus> is.
        jobs: processes that simulate a corpus, and that read recordings.
        force: prepare again even if everything is up to date.
        allow_pipes: run the pipes of a wav.scp.

    Returns:
        The utterances of each subset; None if everything was up to date.

    Raises:
        UserError: before anything is written, if an input is an output, or a folder of output is not the project's.
    """
    corpora.check_apart(corpus, layout.corpus_data)
    places = {"data": layout.corpus_data, **corpus.inputs()}
    made_from: dict[str, Any] = {
        "identity": corpus.identity(),
        "places": {name: paths.portable(path) for name, path in places.items()},
    }
    if not force and _up_to_date(layout, made_from):
        _measure(layout, jobs)
        return None
    _check_folders(corpus, layout)
    _say_if_replaced(layout.corpus_data, made_from["places"])
    with locks.hold(layout.corpus_data):
        record.remove(layout.corpus_data)
        found = corpus.utterances(layout.corpus_data, jobs=jobs, force=force, allow_pipes=allow_pipes)
        copies = layout.corpus_data / recordings.FOLDER
        utterances = {
            subset: recordings.check(subset, listed, copies=copies, jobs=jobs, force=force)
            for subset, listed in found.items()
        }
        overlaps.check(utterances)
        owned.claim(layout.corpus_data, OURS)
        for subset in SUBSETS:
            directory = layout.subset(subset)
            if subset in utterances:
                owned.claim(directory)
                (directory / nuisance.FILE).unlink(missing_ok=True)
                datadir.write(directory, utterances[subset])
            elif left := _remove(directory):
                names = ", ".join(path.name for path in left)
                print(f"{directory}: not in the corpus any more; left, as not made by this project: {names}")
        converted = recordings.counts(copies)  # tells; decides nothing
        record.write(layout.corpus_data, {**made_from, "subsets": list(utterances), "converted": converted})
    _measure(layout, jobs)
    return utterances


def summary(utterances: list[Utterance]) -> str:
    """The size of a subset in words."""
    genuine = sum(u.label == GENUINE for u in utterances)
    speakers = len({u.speaker for u in utterances})
    return f"{genuine} genuine + {len(utterances) - genuine} spoof, {speakers} speakers"


def _up_to_date(layout: Layout, made_from: dict[str, Any]) -> bool:
    """Whether the data directories are those of the record `made_from`, and every recording is as it was then."""
    if not record.current(layout.corpus_data, made_from["identity"]):
        return False
    found = record.read(layout.corpus_data)
    if found.get("places") != made_from["places"]:
        return False  # wav.scp names files elsewhere
    written = [subset for subset in SUBSETS if subset in found.get("subsets", ())]
    if not all((layout.subset(subset) / table).is_file() for subset in written for table in datadir.TABLES):
        return False
    for subset in written:
        try:
            changed = datadir.changed(layout.subset(subset), refresh=True)
        except UserError:  # damaged tables: they are written again
            return False
        if changed:
            more = f" and {len(changed) - 1} more" if changed[1:] else ""
            print(f"{subset}: recordings are replaced or gone ({changed[0]}{more}); preparing the corpus again")
            return False
    return True


def _measure(layout: Layout, jobs: int) -> None:
    """Write the nuisances of every subset that has none: of an older data directory, or after an interruption."""
    subsets = record.read(layout.corpus_data).get("subsets", ())
    missing = [subset for subset in subsets if not nuisance.exists(layout.subset(subset) / nuisance.FILE)]
    if not missing:
        return
    with locks.hold(layout.corpus_data):
        for directory in map(layout.subset, missing):
            # A part of a file: the size of the whole says nothing about it, that of its copy is used.
            whole = {} if (directory / datadir.PARTS).exists() else datadir.hashes(directory)
            items = [(utt, wav, whole[utt].size if whole else None) for utt, wav in datadir.recordings(directory)]
            with Progress(f"measuring {directory.name}", len(items)) as progress:
                nuisance.write(directory / nuisance.FILE, _rows(items, jobs, progress))


def _rows(items: Sequence[Recording], jobs: int, progress: Progress) -> Iterator[Measured]:
    units = (items[first : first + recordings.UNIT] for first in range(0, len(items), recordings.UNIT))
    for measured in parallel.ordered_map(_measured, units, jobs):
        yield from measured
        progress.advance(len(measured))


def _measured(items: Sequence[Recording]) -> list[Measured]:
    """The nuisances of recordings; the work of a worker process."""
    found = []
    for utt, wav, size in items:
        path = paths.located(wav)
        of = nuisance.measure(audio.read(path, recordings.SAMPLE_RATE), recordings.SAMPLE_RATE)
        found.append((utt, {**of, nuisance.OF_FILE: (size or path.stat().st_size) / of["duration"]}))
    return found


def _say_if_replaced(folder: Path, places: Mapping[str, str]) -> None:
    """Say that data directories are replaced which were prepared from other inputs, as those of another YAML."""
    try:
        before = record.read(folder).get("places", {}) if record.exists(folder) else {}
    except UserError:
        return
    for name in (key for key in places if key in before and key != "data"):
        if places[name] != before[name]:
            print(f"{folder}: was prepared from {before[name]}; replaced by the corpus in {places[name]}")
            return


def _check_folders(corpus: corpora.CorpusKind, layout: Layout) -> None:
    """Raise UserError if a folder that would be written is not the project's."""
    owned.check(layout.corpus_data, OURS)
    subsets = [layout.subset(subset) for subset in corpus.names_of_subsets()]
    for folder in (*subsets, *(layout.corpus_data / name for name in (*corpus.FOLDERS, recordings.FOLDER))):
        owned.check(folder)


def _remove(directory: Path) -> list[Path]:
    """Remove the tables and feature folders of a subset that the corpus no longer has; returns what is left."""
    if not owned.is_ours(directory):
        return []
    features = [path for path in directory.iterdir() if path.is_dir() and owned.is_ours(path)]
    for folder in features:
        owned.remove(folder)
    return owned.remove(
        directory, (*datadir.TABLES, datadir.SOURCES, datadir.PARTS, nuisance.FILE, ".*.lock", ".*.tmp")
    )
