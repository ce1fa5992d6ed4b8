"""The simulated corpus: its form, that the seed alone decides its bytes, and that only the replay hop tells classes."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from afn.common import config, owned
from afn.common.errors import UserError
from afn.corpora import asvspoof2017
from afn.corpora.simulation.generation import generate, protocol_path, wav_path
from afn.corpora.simulation.simulated import Simulated

ROOT = Path(__file__).parents[3]
YAML = ROOT / "conf/corpora/simulated.yaml"
REAL_DATA = os.environ.get("REAL_DATA")
SMALL = ("train.genuine=4", "train.spoof=4", "dev.genuine=2", "dev.spoof=4", "eval.genuine=3", "eval.spoof=6")
LINE = re.compile(r"([TDE])_1\d{6}\.wav (genuine|spoof) M00\d\d S(0[1-9]|10) (- - -|E\d\d P\d\d R\d\d)")


def corpus(*assignments):
    return config.load(Simulated, YAML, assignments)


def contents(root):
    found = (path for path in root.rglob("*") if path.is_file() and path.name != owned.MARKER)
    return {path.relative_to(root): path.read_bytes() for path in found}


def listed(root, subset):
    return [line.split(" ") for line in protocol_path(root, subset).read_text().splitlines()]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("small")
    generate(corpus(*SMALL), root)
    return root


@pytest.fixture(scope="module")
def moderate(tmp_path_factory):
    """Samples in [-1, 1] by class, of a corpus large enough for statistics."""
    root = tmp_path_factory.mktemp("moderate")
    generate(corpus("train.genuine=40", "train.spoof=40", "dev.genuine=20", "dev.spoof=20", "eval.spoof=60"), root)
    sounds = {"genuine": [], "spoof": []}
    for subset in asvspoof2017.PROTOCOLS:
        for name, label, *_ in listed(root, subset):
            sounds[label].append(soundfile.read(root / f"ASVspoof2017_V2_{subset}" / name)[0])
    return sounds


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes_in_any_process_and_with_any_number_of_jobs(small, tmp_path):
    generate(corpus(*SMALL), tmp_path / "two", jobs=2)
    assert contents(tmp_path / "two") == contents(small)
    program = (
        "import sys; from pathlib import Path; from afn.common import config\n"
        "from afn.corpora.simulation.generation import generate\n"
        "from afn.corpora.simulation.simulated import Simulated\n"
        "generate(config.load(Simulated, sys.argv[1], sys.argv[3:]), Path(sys.argv[2]))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", program, str(YAML), str(tmp_path / "other"), *SMALL]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert contents(tmp_path / "other") == contents(small)


def test_the_seed_decides_and_neither_name_nor_systems(small, tmp_path):
    generate(corpus(*SMALL, "seed=1"), tmp_path / "seed")
    generate(corpus(*SMALL, "name=other", "systems.afn.train.epochs=1"), tmp_path / "name")
    before, now = contents(small), contents(tmp_path / "seed")
    assert before.keys() == now.keys() and not any(before[path] == now[path] for path in before)
    assert contents(tmp_path / "name") == before


def test_tree_and_protocols_have_the_official_form_and_the_sizes_asked_for(small):
    for subset, letter, genuine, spoof in (("train", "T", 4, 4), ("dev", "D", 2, 4), ("eval", "E", 3, 6)):
        lines = protocol_path(small, subset).read_text().splitlines()
        assert all(LINE.fullmatch(line)[1] == letter for line in lines)
        assert Counter(line.split()[1] for line in lines) == {"genuine": genuine, "spoof": spoof}
        assert all((fields[1] == "genuine") == (fields[4:] == ["-", "-", "-"]) for fields in listed(small, subset))
        names = [fields[0] for fields in listed(small, subset)]
        assert names == [f"{letter}_{1000001 + k}.wav" for k in range(genuine + spoof)]
        assert sorted(names) == sorted(path.name for path in (small / f"ASVspoof2017_V2_{subset}").iterdir())
        for name in names:
            info = soundfile.info(small / f"ASVspoof2017_V2_{subset}" / name)
            assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
            assert 0.9 < info.duration < 5
    assert (small / "protocol_V2/ASVspoof2017_V2_train.trn.txt").is_file()
    assert (small / "protocol_V2/ASVspoof2017_V2_eval.trl.txt").is_file()


def test_speakers_are_disjoint_and_numbered_through_the_subsets():
    speakers = {name: {trial.speaker for trial in found} for name, found in corpus().trials().items()}
    assert speakers == {"train": set(range(10)), "dev": set(range(10, 16)), "eval": set(range(16, 28))}
    assert len({(voice.accent, voice.variant) for voice in corpus().studio().speech.cast}) == 28


def test_rooms_and_devices_are_disjoint_but_for_a_few_configurations_that_recur_in_eval():
    made = corpus().trials()
    replays = {
        name: {(trial.room, trial.playback, trial.recorder) for trial in found if trial.label == "spoof"}
        for name, found in made.items()
    }
    assert replays["train"] == {("E01", "P01", "R01"), ("E02", "P02", "R02"), ("E02", "P03", "R02")}
    assert len(replays["eval"] & replays["train"]) == 1
    assert len(replays["eval"] & replays["dev"]) == 2
    new = replays["eval"] - replays["train"] - replays["dev"]
    parts = {name: {code for triple in found for code in triple} for name, found in replays.items()}
    unseen = {code for triple in new for code in triple}
    assert len(new) >= 9
    assert not parts["train"] & parts["dev"]
    assert not unseen & (parts["train"] | parts["dev"])


def auc(genuine, spoof):
    """The probability that a genuine value exceeds a spoof one."""
    genuine, spoof = np.array(genuine)[:, None], np.array(spoof)[None]
    return (genuine > spoof).mean() + 0.5 * (genuine == spoof).mean()


def onset(samples):
    """Seconds until the level first rises halfway (in dB) from the ends' noise to the loudest 20 ms."""
    level = 10 * np.log10((samples[: len(samples) // 320 * 320].reshape(-1, 320) ** 2).mean(axis=1))
    return 0.02 * np.flatnonzero(level > (level[:5].mean() + level.max()) / 2)[0]


SHORTCUTS = {
    "level": lambda x: np.sqrt((x**2).mean()),
    "peak": lambda x: np.abs(x).max(),
    "duration": len,
    "leading silence": onset,
    "trailing silence": lambda x: onset(x[::-1]),
    "noise floor": lambda x: np.sort((x[: len(x) // 320 * 320].reshape(-1, 320) ** 2).mean(axis=1))[:5].mean(),
    "zero samples": lambda x: (x == 0).mean(),
    "offset": np.mean,
}


@pytest.mark.slow
@pytest.mark.parametrize("statistic", SHORTCUTS)
def test_nothing_trivial_separates_the_classes(moderate, statistic):
    values = {label: [SHORTCUTS[statistic](x) for x in sounds] for label, sounds in moderate.items()}
    assert abs(auc(values["genuine"], values["spoof"]) - 0.5) < 0.15


@pytest.mark.slow
def test_the_replay_hop_shows_in_the_long_term_spectrum(moderate):
    def highs(samples):  # above most loudspeakers' band against within it
        power = np.abs(np.fft.rfft(samples)) ** 2
        frequency = np.fft.rfftfreq(len(samples), 1 / 16000)
        return np.log(power[frequency > 6500].sum() / power[(frequency > 500) & (frequency < 4500)].sum())

    assert auc(*([highs(x) for x in moderate[label]] for label in ("genuine", "spoof"))) > 0.75


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(small, tmp_path):
    generate(corpus(*SMALL), tmp_path)
    kept = wav_path(tmp_path, "train", "T_1000001")
    for path in [wav_path(tmp_path, "train", "T_1000006"), wav_path(tmp_path, "eval", "E_1000002")]:
        path.unlink()
    protocol_path(tmp_path, "eval").unlink()
    stamp = kept.stat().st_mtime_ns
    generate(corpus(*SMALL), tmp_path)
    assert contents(tmp_path) == contents(small)
    assert kept.stat().st_mtime_ns == stamp


def test_other_settings_leave_nothing_of_the_old_corpus(small, tmp_path):
    generate(corpus(*SMALL, "train.spoof=9", "acoustics.level=[-30, -30]"), tmp_path)
    generate(corpus(*SMALL), tmp_path)
    assert contents(tmp_path) == contents(small)


def test_recordings_that_were_not_made_here_are_never_touched(tmp_path):
    own = tmp_path / "ASVspoof2017_V2_train/T_1000001.wav"
    own.parent.mkdir()
    own.write_bytes(b"mine")
    with pytest.raises(UserError, match="which this project did not make; nothing was changed"):
        generate(corpus(*SMALL), tmp_path)
    assert contents(tmp_path) == {own.relative_to(tmp_path): b"mine"}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.genuine=0", "train.genuine: 0 must be above 0"),
        ("silence=[0.5, 0.1]", "silence: .* must be in ascending order"),
        ("acoustics.noise.snr=[30, 20]", "acoustics.noise.snr: .* must be in ascending order"),
        ("acoustics.playback.P01=1.5", "acoustics.playback.P01: 1.5 must be at most 1"),
        ("acoustics.loudspeaker.high_cut=[9000, 4000]", "acoustics.loudspeaker.high_cut"),
        ("dev.configurations=[E03-P04]", r"dev.configurations\[0\]: 'E03-P04' must be text of the form"),
        ("dev.configurations=[E03P99R03]", "dev.configurations: E03P99R03: .* P99"),
        ("voices.variants=[Reed]", "voices.variants: Reed is not the same twice"),
    ],
)
def test_nonsense_is_refused_in_one_line_that_names_it(assignment, message):
    with pytest.raises(UserError, match=message) as refused:
        corpus(assignment)
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(not REAL_DATA, reason="REAL_DATA does not name a folder with speech/ and impulse_responses/")
def test_real_speech_and_measured_responses_of_73_speakers(tmp_path):
    speakers = ("train.speakers=30", "dev.speakers=13", "eval.speakers=30")
    sizes = ("train.genuine=30", "train.spoof=30", "dev.genuine=13", "dev.spoof=13", "eval.genuine=30", "eval.spoof=60")
    real = (f"speech={REAL_DATA}/speech", f"impulse_responses={REAL_DATA}/impulse_responses")
    found = corpus(*speakers, *sizes, *real).utterances(tmp_path)
    assert len({u.speaker for subset in found.values() for u in subset}) == 73
    for wav in tmp_path.rglob("*.wav"):
        samples, _ = soundfile.read(wav)
        assert 0.02 < np.abs(samples).max() < 0.985
        assert 1 < len(samples) / 16000 < 5.3
