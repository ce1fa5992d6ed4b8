"""Augmentation of systems other than networks: changed copies beside the recordings."""

import numpy as np
import pytest

import made_up_recordings
from afn.augment import Augmenter, Copies
from afn.common import config, parallel
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import provenance
from afn.features import audio, front_end
from afn.systems import copies, registry
from afn.systems.protocol import METRICS
from afn.systems.subset import Subset
from stages import Pipeline

STILL = "{probability: 0, snr: [20, 20], tilt: [0, 0]}"
DRY = "{probability: 0, reverberation: [0.2, 0.2], direct: [9, 9], delay: [0, 0], damping: [4000, 4000]}"
RECORDER = f"{{room: {DRY}, microphone: {{measured: 1.0}}, noise: {STILL}}}"
CHANNEL = f"{{recording: {RECORDER}, covert: {RECORDER}, loudspeaker: {{}}, level: [-30, -30]}}"
AUGMENT = (
    "train.augment.copies=2",
    "train.augment.noise={probability: 1, snr: [10, 40], tilt: [0, 1]}",
    "train.augment.replay=0.5",
    f"train.augment.channel={CHANNEL}",
)
ROWS = {
    "lfcc_gmm": ("model.components=2", "train.iterations=2"),
    "ivector_cosine": (
        "features.bins_per_octave=12",
        "back_end.per_speaker=true",
        "back_end.unit_length=false",
        "ubm.components=2",
        "ubm.full_iterations=1",
        "extractor.dimension=2",
        "extractor.iterations=2",
    ),
    "ernn": ("train.population=4", "train.generations=2", "train.batch=8", "train.crop=0.02"),
}


def settings(row, *assignments):
    path = ROOT / "conf" / "systems" / f"{row}.yaml"
    return config.load(registry.settings_type(), path, [*ROWS.get(row, ()), *assignments])


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Twelve recordings of noise, alternately genuine and spoof."""
    folder = tmp_path_factory.mktemp("recordings")
    paths = {f"u{i}": str(folder / f"u{i}.wav") for i in range(12)}
    for i, path in enumerate(paths.values()):
        audio.write(path, made_up_recordings.wave(i, 0.3 + 0.02 * i), 16000)
    return paths


def subset(recordings, of, name="train"):
    """The recordings with the features that the row `of` asks for."""
    extract = front_end.native(front_end.describe(of.features, backend="native"))
    features = {utt: extract(utt, audio.read(path, 16000)) for utt, path in recordings.items()}
    labels = {utt: ("genuine", "spoof")[i % 2] for i, utt in enumerate(recordings)}
    return Subset(name, labels, features, {utt: f"s{i % 4}" for i, utt in enumerate(recordings)}, recordings)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_copy_depends_on_seed_number_and_utterance_alone(recordings, tmp_path, monkeypatch, jobs):
    monkeypatch.setattr(parallel, "default_jobs", lambda: jobs)
    of = settings("lfcc_gmm", *AUGMENT)
    train = subset(recordings, of)
    found = copies.added(train, of, 5, tmp_path)
    assert len(found.labels) == 36 and found.labels.keys() == found.features.keys() == found.speakers.keys()
    assert all(found.features[utt] is train.features[utt] for utt in train.utterances)
    extract, change = front_end.native(front_end.describe(of.features)), Augmenter(of.train.augment, 16000)
    for utt, number in (("u0", 1), ("u0", 2), ("u10", 1)):
        samples, label = change(audio.read(recordings[utt], 16000), train.labels[utt], (5, number, utt))
        copy = f"{utt}/{number}"
        assert np.array_equal(found.features[copy], extract(copy, samples)) and found.labels[copy] == label
        assert found.speakers[copy] == train.speakers[utt]
    replayed = [found.labels[f"{utt}/{k}"] == "spoof" for utt in train.utterances[::2] for k in (1, 2)]
    assert 0 < sum(replayed) < 12
    assert all(found.labels[f"{utt}/1"] == "spoof" for utt in train.utterances[1::2])


def test_an_interrupted_run_keeps_the_copies_that_are_complete(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "default_jobs", lambda: 1)
    of = settings("lfcc_gmm", *AUGMENT)
    train = subset(recordings, of)
    whole = copies.added(train, of, 5, tmp_path / "whole")
    read, left = audio.read, 13

    def interrupted(path, rate):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return read(path, rate)

    monkeypatch.setattr(audio, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copies.added(train, of, 5, tmp_path / "cut")
    left = 16  # of 24 copies 8 are complete
    resumed = copies.added(train, of, 5, tmp_path / "cut")
    assert left == 0
    assert {utt: matrix.tobytes() for utt, matrix in whole.features.items()} == {
        utt: matrix.tobytes() for utt, matrix in resumed.features.items()
    }


@pytest.mark.parametrize("row", ["lfcc_gmm", "ivector_cosine", pytest.param("ernn", marks=pytest.mark.slow)])
def test_every_system_trains_on_the_recordings_and_their_copies(recordings, tmp_path, monkeypatch, row):
    monkeypatch.setattr(parallel, "default_jobs", lambda: 1)
    augmented, plain = settings(row, *AUGMENT), settings(row)
    train = subset(recordings, plain)
    dev = Subset("dev", *({f"d{utt}": of[utt] for utt in recordings} for of in (train.labels, train.features)))
    by_hand = copies.added(train, augmented, 1, tmp_path / "made")
    outcomes = []
    for name, of, given in (("copies", augmented, train), ("by hand", plain, by_hand), ("without", plain, train)):
        system = registry.build(of, 1)
        system.fit(given, dev, tmp_path / name)
        system.load(tmp_path / name)
        table = (tmp_path / name / METRICS).read_text().splitlines()  # the last column of ernn has seconds
        metrics = [line.rpartition(",")[0] if row == "ernn" else line for line in table]
        outcomes.append((system.score(dev), metrics))
    assert outcomes[0] == outcomes[1] != outcomes[2]
    assert not (tmp_path / "copies" / copies.FOLDER).exists()


@pytest.mark.parametrize("row", [*ROWS, "statpool"])
def test_identities_hold_the_augmentation_and_the_content_of_measured_responses(tmp_path, row):
    def identity(*assignments):
        of = settings(row, *assignments)
        return registry.system_class(of).identity(of)

    augment = [text for text in AUGMENT if row != "statpool" or "copies" not in text]
    plain, augmented = identity(), identity(*augment)
    assert "augment" not in str(plain) and "files" not in (plain.keys() - {"files"} if row == "ernn" else plain)
    assert augmented["train"]["augment"]["replay"] == 0.5 and "impulse_responses" not in augmented["train"]["augment"]
    for name, scale in (("one", 1), ("same", 1), ("other", 2)):
        audio.write(folder(tmp_path / name) / "mic.wav", made_up_recordings.wave(1, 0.05) // scale, 16000)
    one, same, other = (
        identity(*augment, f"train.augment.impulse_responses={given}")
        for given in (tmp_path / "one", f"[{tmp_path}/same]", tmp_path / "other")
    )
    assert one == same and len({str(found) for found in (augmented, one, other)}) == 3
    (folder(tmp_path / "empty") / "readme.txt").touch()
    for name, message in (("missing", "missing: no such folder"), ("empty", "empty: holds no usable impulse response")):
        with pytest.raises(UserError, match=message):
            identity(*augment, f"train.augment.impulse_responses={tmp_path / name}")


def folder(path):
    path.mkdir(exist_ok=True)
    return path


@pytest.mark.parametrize(
    ("row", "assignments", "message"),
    [
        (
            "lfcc_gmm",
            ["frequency_masks={count: [1, 1], width: [1, 1]}"],
            "frequency_masks: only networks train on mask",
        ),
        (
            "ernn",
            ["time_masks={count: [1, 1], width: [1, 1]}"],
            "train.augment.time_masks: only networks train on mask",
        ),
        ("ivector_cosine", ["copies=0"], r"train\.augment\.copies: 0 must be above 0"),
        ("lfcc_gmm", ["impulse_responses=DIR"], "channel: is missing, and impulse_responses needs it. Add it."),
        (
            "ivector_cosine_mfcc",
            ["copies=1"],
            "train.augment: needs features that this program extracts itself, not mf",
        ),
    ],
)
def test_what_cannot_be_augmented_is_refused(row, assignments, message):
    path = ROOT / "conf" / ("kaldi" if "mfcc" in row else "systems") / f"{row}.yaml"
    with pytest.raises(UserError, match=message) as error:
        config.load(registry.settings_type(), path, [f"train.augment.{text}" for text in assignments])
    assert "\n" not in str(error.value)


def test_the_stages_train_and_score_an_augmented_row_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "default_jobs", lambda: 1)
    corpus = made_up_recordings.make(tmp_path)
    audio.write(folder(tmp_path / "measured") / "mic.wav", made_up_recordings.wave(1, 0.05), 16000)
    augment = [*AUGMENT, f"train.augment.impulse_responses={tmp_path / 'measured'}"]
    words = [word for text in (*ROWS["lfcc_gmm"], *augment) for word in ("--set", text)]
    pipeline = Pipeline(tmp_path, corpus, "--system", "lfcc_gmm", *words)
    pipeline.run((-2, -1, 0, 2))
    trained = provenance.read(tmp_path / "exp" / "noise" / "lfcc_gmm" / "seed1")
    assert isinstance(trained.settings.train.augment, Copies) and trained.settings.train.augment.copies == 2
    provenance.check(trained, trained.settings)
    assert "8 changed copies of 4 recordings" in (trained.directory / "train.log").read_text()
    audio.write(tmp_path / "measured" / "mic.wav", made_up_recordings.wave(2, 0.05), 16000)
    assert "the content of the file that `impulse_responses` names has changed" in pipeline.refused([0])
    audio.write(tmp_path / "wav" / "train_000.wav", made_up_recordings.wave(9), 16000)
    assert "train_000 changed since stage -2" in pipeline.refused([0])
