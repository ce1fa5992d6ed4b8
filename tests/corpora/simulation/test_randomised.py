"""The randomised corpus: the seed decides its bytes, subsets share nothing, only the replay distinguishes classes."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from afn.augment.random_streams import stream
from afn.common import config
from afn.common.errors import UserError
from afn.corpora.simulation import randomised
from afn.corpora.simulation.generation import wav_path
from afn.corpora.simulation.randomised import Randomised

YAML = Path(__file__).parents[3] / "conf/corpora/randomised.yaml"
SIZES = {"train": 6, "dev": 2, "eval": 2}
SMALL = [f"{subset}.{label}={count}" for subset, count in SIZES.items() for label in ("genuine", "spoof")]
FEW_ROOMS = ("dev.shoeboxes=2", "eval.shoeboxes=2")


def corpus(*assignments):
    return config.load(Randomised, YAML, (*SMALL, *FEW_ROOMS, *assignments))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder and the utterances of a small corpus."""
    root = tmp_path_factory.mktemp("made")
    return root, corpus().utterances(root, jobs=1)


@pytest.fixture
def real(tmp_path):
    """Six speakers with a tone each, in two folders, and six microphones with an echo each."""
    rng = stream(1, "tones")
    for k in range(6):
        path = tmp_path / f"speech{k % 2}" / f"speaker{k}" / "a.flac"
        path.parent.mkdir(parents=True)
        tone = np.sin(2 * np.pi * 400 * (k + 1) * np.arange(32000) / 16000) + 0.01 * rng.standard_normal(32000)
        soundfile.write(path, 0.3 * tone, 16000)
        response = np.zeros(1000)
        response[[100, 150 + 50 * k]] = 0.9, 0.5
        (tmp_path / "mics").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "mics" / f"{k}.wav", response, 16000)
    return tmp_path


def test_sizes_speakers_and_forms_are_those_asked_for(made):
    root, subsets = made
    for subset, count in SIZES.items():
        found = subsets[subset]
        assert Counter(u.label for u in found) == {"genuine": count, "spoof": count}
        for u in found:
            info = soundfile.info(wav_path(root / "simulated", subset, u.utt))
            assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
            assert 0.4 < info.duration < 4.6
            low, high = (int(word) for word in u.conditions["level"].split("_to_"))
            assert high - low == 10 and -50 <= low <= -10
            assert u.conditions["speech"] == "synthetic"
    full = config.load(Randomised, YAML).trials()
    speakers = [{trial.speaker for trial in trials} for trials in full.values()]
    assert [len(found) for found in speakers] == [120, 40, 40] and len(set.union(*speakers)) == 200


def test_an_utterance_depends_on_seed_and_id_alone(made, tmp_path):
    root, _ = made
    studio, planned = corpus().studio(), corpus().trials()
    for subset in reversed(planned):
        for trial in reversed(planned[subset]):
            recorded, _ = soundfile.read(wav_path(root / "simulated", subset, trial.utt), dtype="int16")
            assert np.array_equal(studio(trial), recorded)
    other = corpus("seed=1")
    assert not any(np.array_equal(other.studio()(t), studio(t)) for t in planned["dev"])


def test_real_speakers_and_measured_responses_are_divided_among_the_subsets(real):
    folders = f"speech=[{real}/speech0, {real}/speech1]", f"impulse_responses={real}/mics"
    mixed = corpus(*folders, "synthetic=0.5", "train.genuine=8")
    planned = mixed.trials()
    speakers = {subset: {t.speaker - 200 for t in trials if t.speaker >= 200} for subset, trials in planned.items()}
    assert [len(found) for found in speakers.values()] == [4, 1, 1] and len(set.union(*speakers.values())) == 6
    assert Counter(t.speaker >= 200 for t in planned["train"] if t.label == "genuine") == {True: 4, False: 4}
    measured = [randomised.measured(mixed.model_dump_json(), subset) for subset in SIZES]
    echoes = [{int(np.argsort(response)[-2]) for response in found["microphone"]} for found in measured]
    assert [len(found) for found in echoes] == [4, 1, 1] and len(set.union(*echoes)) == 6
    assert ["room" in found for found in measured] == [False, True, True]
    trial = next(t for t in planned["train"] if t.label == "genuine" and t.speaker >= 200)
    clean = mixed.channel.replace(
        recording=mixed.channel.covert.replace(
            room=mixed.channel.covert.room.replace(probability=0.0),
            noise=mixed.channel.covert.noise.replace(snr=(50, 50)),
        )
    )
    recording = mixed.replace(channel=clean).studio()(trial)
    frequency = np.abs(np.fft.rfft(recording.astype(float), 16000)).argmax()
    assert frequency % 400 == pytest.approx(0, abs=3)


def test_one_folder_is_the_same_as_a_list_of_one_and_names_do_not_matter(real, tmp_path):
    single, listed = (corpus(f"speech={text}").recipe() for text in (real / "speech0", f"[{real}/speech0]"))
    assert single == listed
    real.joinpath("speech0").rename(real / "elsewhere")
    assert corpus(f"speech={real}/elsewhere").recipe() == single
    assert corpus(f"speech={real}/speech1").recipe() != single


@pytest.mark.slow
def test_neither_level_nor_duration_nor_noise_separates_the_classes():
    sizes = "train.genuine=80", "train.spoof=80", "durations=[0.5, 1.0]"
    large = corpus(*sizes)
    studio, values = large.studio(), {"genuine": [], "spoof": []}
    for trial in large.trials()["train"]:
        samples = studio(trial).astype(float)
        frames = np.sqrt((samples[: len(samples) // 320 * 320].reshape(-1, 320) ** 2).mean(axis=1)) + 1
        values[trial.label].append((samples.std(), np.abs(samples).max(), len(samples), frames.min()))
    genuine, spoof = (np.array(values[label]) for label in ("genuine", "spoof"))
    above = (genuine[:, None] > spoof[None]).mean(axis=(0, 1))
    limits = 0.15, 0.15, 0.15, 0.25  # the second room and the covert noise fill the pauses of replays
    assert np.all(np.abs(above - 0.5) < limits)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("dev.changes.loudspeaker.drive=1", r"dev\.changes: channel: unknown key loudspeaker\.drive"),
        ("eval.changes.level=[-10, -20]", r"eval\.changes: channel: level: \[-10, -20\] must be in ascending order"),
        ("channel.recording.noise.snr=[20]", r"channel\.recording\.noise\.snr: \[20\] must be a list of two"),
        ("durations=[0.5]", r"durations.*must be a list of two"),
    ],
)
def test_unusable_settings_are_refused_in_one_line(assignment, message):
    with pytest.raises(UserError, match=message) as error:
        corpus(assignment)
    assert "\n" not in str(error.value)


def test_unusable_folders_are_refused_before_anything_is_written(real, tmp_path):
    (real / "two" / "a").mkdir(parents=True)
    (real / "empty").mkdir()
    for assignment, message in (
        (f"speech={real}/absent", "absent: no such folder"),
        (f"speech={real}/two", "two: holds 0 speakers .* at least 3 are needed"),
        (f"impulse_responses={real}/empty", "empty: holds no usable impulse response"),
    ):
        with pytest.raises(UserError, match=message):
            corpus(assignment).utterances(tmp_path / "out", jobs=1)
        assert not (tmp_path / "out").exists()
