"""Scores and keys in the forms of the ASVspoof challenges: utterance, label, speaker and conditions of every line.

A file is recognised by its number of fields, or by a header that names them (ASVspoof 5). File names may end in .wav or
.flac, in one of both files or in both.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from afn.common import labels, tables
from afn.common.errors import UserError
from afn.common.labels import GENUINE, SPOOF
from afn.metrics import score_files, tdcf
from afn.metrics.trials import Trials, joined

# Number of fields -> what they are. `_` is not used; what is not file, key, speaker, score or subset is a condition.
SCORES = {2: "file score", 3: "file key score", 4: "file attack key score"}  # ours, the same with keys, ASVspoof 2019
KEYS = {
    2: "file key",  # utt2label
    5: "speaker file environment attack key",  # ASVspoof 2019
    7: "file key speaker _ environment playback recorder",  # ASVspoof 2017
    10: "speaker file _ _ _ _ _ attack key _",  # ASVspoof 5
    12: "speaker file room microphone talker_distance attacker_room attacker_microphone device attacker_distance key "
    "trim subset",  # ASVspoof 2021, physical access
}
NAMES = {"filename": "file", "utt": "file", "cm-score": "score", "cm-label": "key", "label": "key"}  # in headers
TRACKS = {  # of ASVspoof 2021: subset and trimming
    "eval": ("eval",),
    "progress": ("progress",),
    "hidden": ("hidden",),
    "hidden1": ("hidden", "notrim"),
    "hidden2": ("hidden", "trim"),
}
VERIFICATION_FIX = f"Name a text file of `name {'|'.join(tdcf.KINDS)} score` lines."
OWN = ("file", "key", "speaker", "score", "subset", "_")  # columns that are no condition


@dataclass(frozen=True, eq=False)
class Key:
    """The labels of utterances, and what else a key lists; in the order of its lines."""

    labels: dict[str, str]  # utterance -> genuine or spoof
    speakers: Sequence[str] = ()  # none if the key has no speakers
    conditions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: frozenset[str] = frozenset()  # utterances of other subsets, whose scores are not used

    def trials(self) -> Trials:
        """The trials of the key; without speakers all are of one speaker, so that single trials are resampled."""
        genuine = np.fromiter((label == GENUINE for label in self.labels.values()), bool, len(self.labels))
        speakers = np.array(self.speakers) if self.speakers else np.zeros(genuine.size, dtype="U1")
        conditions = {name: np.array(codes) for name, codes in self.conditions.items()}
        return Trials(tuple(self.labels), genuine, speakers, conditions, joined(genuine, speakers, conditions))


def read_key(path: Path | str, track: str = "eval") -> Key:
    """The key in a file of one of the `KEYS`; of an ASVspoof 2021 key the trials of `track` (one of `TRACKS`).

    Raises UserError, naming file and line, for another form, an unknown label and an utterance that is there twice.
    """
    _, key = _read(path, KEYS, "key", track)
    assert key is not None  # every form has a key
    return key


def read(path: Path | str) -> tuple[dict[str, float], Key | None]:
    """The scores in a file of one of the forms `SCORES`, utterance -> score; and its key, if it holds one.

    Raises UserError as `read_key` does, and for a score that is NaN or infinite.
    """
    return _read(path, SCORES, "score")


def read_verification(path: Path | str) -> dict[str, np.ndarray] | None:
    """The scores of `name target|nontarget|spoof score` lines by kind; None for a file of another form.

    Raises UserError, naming file and line, for a score that is NaN or infinite, and if a kind is missing.
    """
    if len(next(tables.rows(path, "line", fix=VERIFICATION_FIX, blanks=True)).fields[0].split()) != 3:
        return None
    found: dict[str, list[float]] = {kind: [] for kind in tdcf.KINDS}
    for where, (_, kind, score) in tables.rows(path, "name kind score", unique=False):
        if kind not in found:
            return None
        found[kind].append(tables.number(score, where))
    if not (found["target"] or found["nontarget"]):
        return None
    for kind, values in found.items():
        if not values:
            raise UserError(f"{path}: no {kind} score. Give scores of {', '.join(found)} trials.")
    return {kind: np.array(values) for kind, values in found.items()}


def read_asv(path: Path | str, track: str = "eval") -> dict[str, np.ndarray]:
    """The scores of the speaker verifier of a t-DCF by kind of trial.

    `path` is a file of `name target|nontarget|spoof score` lines, the organisers' folder of such files
    (ASVspoof2019_PA_asv_scores), or the folder keys/PA/ASV of ASVspoof 2021. `track` is the subset of 2019 (dev, eval)
    or the track of 2021 (one of `TRACKS`) in a folder. Raises UserError, naming file and line, for a file of another
    form, and if a kind is missing.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "trial_metadata.txt").is_file():
            return _join_verification(path / "trial_metadata.txt", path / "ASVTorch_Kaldi" / "score.txt", track)
        path = path / f"ASVspoof2019.PA.asv.{track}.gi.trl.scores.txt"
    found = read_verification(path)
    if found is None:
        raise UserError(f"{path}: no scores of a speaker verifier. {VERIFICATION_FIX}")
    return found


def _join_verification(key: Path, path: Path, track: str) -> dict[str, np.ndarray]:
    """The scores of `speaker trial score` lines whose trials the key of ASVspoof 2021 lists in `track`."""
    kinds = {}
    for where, fields in tables.rows(key, KEYS[12], unique=False):
        if (fields[11], fields[10])[: len(TRACKS[track])] == TRACKS[track]:
            if fields[9] not in tdcf.KINDS:
                raise UserError(
                    f"{where}: unknown kind of trial {fields[9]!r}. Give the key of the verifier, keys/PA/ASV."
                )
            kinds[fields[0], fields[1]] = fields[9]
    found: dict[str, list[float]] = {kind: [] for kind in tdcf.KINDS}
    for where, (speaker, trial, score) in tables.rows(path, "speaker trial score", unique=False):
        if kind := kinds.pop((speaker, trial), None):
            found[kind].append(tables.number(score, where))
    if kinds:
        speaker, trial = min(kinds)
        raise UserError(
            f"{path}: no score for {trial} of {speaker} (and {len(kinds) - 1} more). Get the complete file."
        )
    return {kind: np.array(values) for kind, values in found.items()}


def vector(
    scores: Mapping[str, float], key: Key, scores_name: Path | str, key_name: Path | str
) -> tuple[Trials, np.ndarray]:
    """The trials of a key, and their scores in the same order, float64[N].

    Raises UserError, with the names, unless the scores are of these utterances (or of other subsets of the key).
    """
    if key.others:
        scores = {utt: score for utt, score in scores.items() if utt not in key.others}
    genuine, spoof = score_files.join(scores, key.labels, scores_name, key_name)
    for label, there in ((GENUINE, genuine), (SPOOF, spoof)):
        if not there.size:
            raise UserError(f"{key_name}: no {label} utterance. An EER needs both classes.")
    trials = key.trials()
    values = np.empty(trials.genuine.size)
    values[trials.genuine], values[~trials.genuine] = genuine, spoof
    return trials, values


def _table(path: Path | str, forms: Mapping[int, str], wanted: str) -> tuple[list[str], Iterator[tables.TableRow]]:
    """The columns of a table and its rows; `wanted` is the column, besides file, that a header must name."""
    form = f"Name a text file of `{next(iter(forms.values()))}` lines."
    first = next(tables.rows(path, "line", fix=form, blanks=True))
    fields = first.fields[0].split()
    columns = [NAMES.get(name.lower(), name.lower()) for name in fields]
    header = "file" in columns and wanted in columns
    if not header:
        if len(fields) not in forms:
            known = "; ".join(f"`{line}`" for line in forms.values())
            raise UserError(f"{first.where}: {len(fields)} instead of {min(forms)} fields. A line is one of: {known}.")
        columns = forms[len(fields)].split()
    rows = tables.rows(path, " ".join(columns), fix=form, unique=columns[0] == "file")
    if header:
        next(rows)
    return columns, rows


def _read(
    path: Path | str, forms: Mapping[int, str], wanted: str, track: str = ""
) -> tuple[dict[str, float], Key | None]:
    """The scores and the key in a table of one of the `forms`; only trials of `track` where it has subsets."""
    columns, rows = _table(path, forms, wanted)
    at = {name: place for place, name in enumerate(columns)}
    scores, found, speakers, others = dict[str, float](), dict[str, str](), list[str](), set[str]()
    conditions: dict[str, list[str]] = {n: [] for n in columns if n not in OWN and not n.endswith("-score")}
    shared: dict[str, str] = {}  # speakers and codes are a few texts in many lines: held once
    for where, fields in rows:
        utt = fields[at["file"]].removesuffix(".wav").removesuffix(".flac")
        if utt in scores or utt in found or utt in others:
            raise UserError(f"{where}: {utt} is there already. Remove one of the two lines.")
        if "key" in at:
            label = labels.parse(fields[at["key"]], where)
            if track and "subset" in at:
                places = [at[name] for name in ("subset", "trim")[: len(TRACKS[track])]]
                if tuple(fields[place] for place in places) != TRACKS[track]:
                    others.add(utt)
                    continue
            found[utt] = shared.setdefault(label, label)
        if "score" in at:
            scores[utt] = tables.number(fields[at["score"]], where)
        if "speaker" in at:
            speakers.append(shared.setdefault(fields[at["speaker"]], fields[at["speaker"]]))
        for name, codes in conditions.items():
            codes.append(shared.setdefault(fields[at[name]], fields[at[name]]))
    if "key" not in at:
        return scores, None
    if not found:
        raise UserError(f"{path}: no trial of {track}. Name another subset: {', '.join(TRACKS)}.")
    return scores, Key(found, speakers, conditions, frozenset(others))
