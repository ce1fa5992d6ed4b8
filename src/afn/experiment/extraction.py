"""The features of a subset: extracted in parts, with a record, unless they are up to date."""

import contextlib
import hashlib
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from afn.common import config, files, owned, record
from afn.common.errors import UserError
from afn.common.paths import located
from afn.common.progress import Progress
from afn.corpora import datadir
from afn.experiment import locks
from afn.experiment.command_line import Stage
from afn.features import archives, front_end, parts
from afn.features.settings import Features

NAMED = 3  # recordings in a message


def extract(here: Stage, subset: str, jobs: int) -> None:
    """Write the features of one subset, unless they are up to date.

    Another run that extracts the same features is waited for. Raises UserError for recordings that stage -2 has not
    seen as they are, for unusable ones, and for a folder that is the user's.
    """
    settings: Features = here.system.features
    listed, directory = here.layout.subset(subset), here.layout.features(subset, settings.name)
    description = front_end.describe(settings)
    check_recordings(listed)
    identity = {"features": description, "recordings": datadir.recordings_hash(listed)}
    if _current(here, directory, identity):
        return
    if description["backend"] == "kaldi" and "|" in str(directory):
        raise UserError(f"{directory}: Kaldi's programs cannot write to a path with '|'. Choose another --data.")
    with _held(directory):
        if _current(here, directory, identity):  # by the run that this one has waited for
            return
        owned.claim(directory)
        record.remove(directory)
        started = time.monotonic()
        written = _extract(here, subset, directory, identity, jobs)
        execution = {"name": settings.name, "parts": written.parts}
        record.write(directory, {"identity": identity, "content": written.content, "execution": execution})
        parts.clear(directory)
    how = f"by the {description['backend']} backend in {time.monotonic() - started:.1f} s"
    print(f"extract: wrote {directory}: {written.utterances} utterances {how}")


def _current(here: Stage, directory: Path, identity: Mapping[str, Any]) -> bool:
    """Whether the features are up to date; says so."""
    if not here.current(directory, identity):
        return False
    number = record.read(directory).get("execution", {}).get("parts", 0)
    there = [parts.archive(directory, n) for n in range(1, number + 1)]
    if not all(path.is_file() for path in (directory / archives.INDEX, directory / archives.LENGTHS, *there)):
        return False
    parts.clear(directory)  # of a run that was killed at its very end
    print(f"extract: {directory} is up to date ({identity['features']['backend']} backend)")
    return True


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Hold the folder's lock for the block; says so when another run has it, and waits."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.hold(directory, patience=0))
        except UserError:
            print(f"extract: {directory}: another run extracts these features. Waiting for it.", flush=True)
            stack.enter_context(locks.hold(directory, patience=math.inf))
        yield


def check_recordings(listed: Path) -> None:
    """Raise UserError, which names some, if recordings of the data directory `listed` have changed since stage -2."""
    if changed := datadir.changed(listed):
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        names = ", ".join(changed[:NAMED]) + more
        raise UserError(f"{listed}: {names} changed since stage -2 read the recordings. Run stage -2 again.")


def _extract(here: Stage, subset: str, directory: Path, identity: Mapping[str, Any], jobs: int) -> parts.Written:
    """Extract the parts that are not complete."""
    listed = here.layout.subset(subset)
    count = sum(1 for _ in datadir.recordings(listed))
    made_by = hashlib.sha256(config.dump(identity).encode()).hexdigest()
    extraction = parts.Extraction(
        directory, front_end.from_description(identity["features"]), made_by, here.forced_since or 0
    )
    recordings = ((utt, str(located(wav))) for utt, wav in datadir.recordings(listed))
    _remove_scratch(directory)
    try:
        with Progress(f"extract {subset}", count) as progress:
            return parts.extract(extraction, recordings, count, jobs, progress.advance)
    finally:
        _remove_scratch(directory)


def _remove_scratch(directory: Path) -> None:
    """Remove the temporary folders of Kaldi's programs, those of a killed run included."""
    for left in directory.glob(f"{files.SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
