"""The official tree of ASVspoof 2017 Version 2.0: what is read, what is refused, what is said."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from afn.common import config, paths
from afn.common.errors import UserError
from afn.corpora import asvspoof2017, recordings
from afn.corpora.asvspoof2017 import PROTOCOLS, RECORDINGS, ASVspoof2017
from afn.corpora.datadir import Utterance
from afn.features import audio

REAL_DATA = os.environ.get("REAL_DATA")
LINES = {
    "train": ["T_1000002.wav genuine M0001 S01 - - -", "T_1000001.wav spoof M0002 S02 E03 P01 R01"],
    "dev": ["D_1000001.wav genuine M0011 S01 - - -", "D_1000002.wav spoof M0011 S01 E16 P07 R06"],
    "eval": ["E_1000001.wav genuine M0021 S01 - - -", "E_1000002.wav spoof M0022 S01 E01 P15 R13"],
}


def write_wav(path: Path, rate: int = 16000, channels: int = 1, subtype: str = "PCM_16", samples: int = 400) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    signal = np.random.default_rng(1).normal(0, 0.1, (samples, channels))
    soundfile.write(str(path), signal, rate, subtype=subtype, format="WAV")


def write_protocol(root: Path, subset: str, lines: list[str]) -> Path:
    path = root / "protocol_V2" / PROTOCOLS[subset]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree of the official form with two recordings in each subset."""
    root = tmp_path / "corpus"
    for subset, lines in LINES.items():
        write_protocol(root, subset, lines)
        for line in lines:
            write_wav(root / RECORDINGS[subset] / line.split()[0])
    return root


@pytest.fixture
def said() -> list[str]:
    return []


def official_lines(subset: str, genuine: int, spoof: int) -> list[str]:
    prefix = subset[0].upper()
    return [
        f"{prefix}_{number:07d}.wav {'genuine M1 S01 - - -' if number < genuine else 'spoof M1 S01 E01 P01 R01'}"
        for number in range(genuine + spoof)
    ]


def official(root: Path, change: dict[str, list[str]] | None = None) -> Path:
    """Protocols of the published counts, one recording in each subset."""
    for subset, counts in asvspoof2017.COUNTS.items():
        lines = (change or {}).get(subset) or official_lines(subset, **counts)
        write_protocol(root, subset, lines)
        write_wav(root / RECORDINGS[subset] / lines[0].split()[0])
    return root


def read(root: Path, said: list[str], **options) -> dict[str, list[Utterance]]:
    return asvspoof2017.utterances(root, **{"official": False, "say": said.append, **options})


def refusal(root: Path, **options) -> str:
    with pytest.raises(UserError) as error:
        read(root, [], **options)
    assert "\n" not in str(error.value)
    return str(error.value)


# what is read


def test_a_tree_is_read_in_the_order_of_its_protocols(root, said):
    found = read(root, said)
    assert {subset: [u.utt for u in utterances] for subset, utterances in found.items()} == {
        "train": ["T_1000002", "T_1000001"],
        "dev": ["D_1000001", "D_1000002"],
        "eval": ["E_1000001", "E_1000002"],
    }
    wav = str(root / "ASVspoof2017_V2_dev" / "D_1000002.wav")
    assert found["dev"][1] == Utterance(
        "D_1000002", wav, "M0011", "spoof", {"environment": "E16", "playback": "P07", "recorder": "R06"}
    )
    assert said == []


def test_line_ends_a_byte_order_mark_tabs_and_blanks_do_not_matter(root, said):
    path = root / "protocol_V2" / PROTOCOLS["train"]
    before = read(root, said)["train"]
    text = "".join(f"{line}\t \r\n" for line in LINES["train"]).replace(" genuine ", "\tgenuine  ")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n \r\n")
    assert read(root, said)["train"] == before


def test_a_recording_that_no_protocol_lists_is_said_and_ignored(root, said):
    write_wav(root / "ASVspoof2017_V2_train" / "T_9.wav", rate=8000)
    (root / "ASVspoof2017_V2_train" / "notes.txt").write_text("not a recording")
    assert len(read(root, said)["train"]) == 2
    assert said == ["train: 1 recordings that the protocol does not list are ignored (T_9.wav …)"]


def test_the_configuration_leads_to_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    shipped = config.load(ASVspoof2017, paths.ROOT / "conf/corpora/asvspoof2017.yaml")
    assert shipped.name == "asvspoof2017"
    assert not shipped.allow_missing
    assert shipped.folder == paths.ROOT / "data/asvspoof2017/corpus"
    for root, folder in (("~/corpus", tmp_path / "corpus"), ("/corpora/2017", Path("/corpora/2017"))):
        assert ASVspoof2017(kind="asvspoof2017", name="mine", root=root).folder == folder
    with pytest.raises(UserError, match="no such home folder"):
        _ = ASVspoof2017(kind="asvspoof2017", name="mine", root="~no-such-user-here/corpus").folder


# malformed protocols

MALFORMED = {
    "missing columns": ("T_3.wav genuine M1 S01 - -", "6 instead of 7 fields"),
    "too many columns": ("T_3.wav genuine M1 S01 - - - -", "8 instead of 7 fields"),
    "Version 1 without labels": ("T_3.wav S01", "Version 1"),
    "two columns": ("T_3.wav genuine", "2 instead of 7 fields"),
    "unknown label": ("T_3.wav fake M1 S01 - - -", "unknown label 'fake'"),
    "no .wav": ("T_3 genuine M1 S01 - - -", "not the bare name of a .wav file"),
    "no name": (".wav genuine M1 S01 - - -", "not the bare name of a .wav file"),
    "a path": ("../T_3.wav genuine M1 S01 - - -", "not the bare name of a .wav file"),
    "a Windows path": ("x\\T_3.wav genuine M1 S01 - - -", "not the bare name of a .wav file"),
    "duplicate": ("T_1000002.wav genuine M1 S01 - - -", "is in line 1 already"),
}


@pytest.mark.parametrize(("line", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_line_is_named(root, line, reason):
    path = write_protocol(root, "train", [*LINES["train"], "", line])
    message = refusal(root)
    assert message.startswith(f"{path}:4: ")
    assert reason in message


# recordings that are missing


def test_missing_recordings_are_counted_and_the_first_is_named(root):
    for line in LINES["dev"]:
        (root / "ASVspoof2017_V2_dev" / line.split()[0]).unlink()
    message = refusal(root)
    assert f"{root}/ASVspoof2017_V2_dev/D_1000001.wav: no such recording (2 of the 2 of dev are missing)" in message
    assert "allow_missing" not in message  # a simulated corpus is made again


# a part of the corpus


def test_allow_missing_takes_what_is_there_and_says_how_much(root, said):
    (root / "ASVspoof2017_V2_train" / "T_1000001.wav").unlink()
    (root / "protocol_V2" / PROTOCOLS["dev"]).unlink()
    for line in LINES["eval"]:
        (root / "ASVspoof2017_V2_eval" / line.split()[0]).unlink()
    (root / "ASVspoof2017_V2_eval").rmdir()
    found = read(root, said, allow_missing=True)
    assert {subset: [u.utt for u in utterances] for subset, utterances in found.items()} == {"train": ["T_1000002"]}
    assert said == [
        "dev: no protocol; left out",
        "train: 1 of 2 recordings present",
        "eval: none of 2 recordings present; left out",
    ]


def test_allow_missing_of_everything_is_an_error(root):
    for subset, lines in LINES.items():
        for line in lines:
            (root / RECORDINGS[subset] / line.split()[0]).unlink()
    assert "none of the recordings" in refusal(root, allow_missing=True)


# the published corpus


def test_the_published_counts_with_another_hash_are_a_warning_each(tmp_path, said):
    found = read(official(tmp_path), said, official=True, allow_missing=True)
    assert {subset: len(utterances) for subset, utterances in found.items()} == {"train": 1, "dev": 1, "eval": 1}
    warnings = [text for text in said if text.startswith("warning: ")]
    assert all(PROTOCOLS[subset] in text and "sha256" in text for subset, text in zip(PROTOCOLS, warnings, strict=True))
    assert "train: 1 of 3014 recordings present" in said


WRONG_COUNTS = {
    "one less": ("dev", 760, 949, "1709 lines (760 genuine, 949 spoof) instead of Version 2.0's 1710 (760 genuine"),
    "other classes": ("eval", 1299, 12007, "13306 lines (1299 genuine, 12007 spoof)"),
    "Version 1 training": ("train", 1508, 1508, "This is Version 1"),
    "Version 1 evaluation": ("eval", 1298, 12922, "This is Version 1"),
}


@pytest.mark.parametrize(("subset", "genuine", "spoof", "reason"), WRONG_COUNTS.values(), ids=WRONG_COUNTS)
def test_other_counts_are_an_error(tmp_path, subset, genuine, spoof, reason):
    official(tmp_path, {subset: official_lines(subset, genuine, spoof)})
    message = refusal(tmp_path, official=True, allow_missing=True)
    assert message.startswith(f"{tmp_path / 'protocol_V2' / PROTOCOLS[subset]}: ")
    assert reason in message.replace("1710 lines", "1710")


def test_a_tree_of_another_corpus_has_its_own_counts(root, said):
    assert read(root, said, official=False)
    assert "2 lines (1 genuine, 1 spoof) instead of Version 2.0's 3014" in refusal(root, official=True)


VERSION_1 = {
    "at the top": "ASVspoof2017_train.trn",
    "with .txt": "ASVspoof2017_dev.trl.txt",
    "in protocol": "protocol/ASVspoof2017_eval.trl",
    "in protocol_V2": "protocol_V2/ASVspoof2017_train.trn.txt",
    "as unpacked": "ASVspoof2017_train_dev/protocol/ASVspoof2017_train.trn",
}


@pytest.mark.parametrize("allow_missing", [False, True])
@pytest.mark.parametrize("place", VERSION_1.values(), ids=VERSION_1)
def test_version_1_is_recognised(tmp_path, place, allow_missing):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("T_1000001.wav genuine M0001 S01\n")
    message = refusal(tmp_path, official=True, allow_missing=allow_missing)
    assert message.startswith(f"{path}: a protocol of ASVspoof 2017 Version 1. Get Version 2.0 with ")


def test_a_complete_version_2_beside_version_1_is_read(root, said):
    (root / "ASVspoof2017_train.trn").write_text("T_1000001.wav genuine M0001 S01\n")
    assert read(root, said)["train"]


def test_a_missing_tree_is_named_with_the_fix(root, tmp_path):
    assert f"{tmp_path / 'nowhere'}: no such folder. Download it with" in refusal(tmp_path / "nowhere", official=True)
    (tmp_path / "bare").mkdir()
    missing = tmp_path / "bare" / "protocol_V2" / PROTOCOLS["train"]
    assert f"{missing}: no such protocol. Download it with" in refusal(tmp_path / "bare", official=True)
    for near in (tmp_path, root / "protocol_V2"):
        assert refusal(near, official=True).endswith(f"no such protocol. Did you mean {root}?")


# the real one


@pytest.mark.skipif(REAL_DATA is None, reason="REAL_DATA, a folder with asvspoof2017/ in it, is not set")
class TestReal:
    root = Path(REAL_DATA or ".") / "asvspoof2017"

    def test_the_published_protocols_have_the_published_counts_and_hashes(self):
        counts, said = {}, []
        for subset, path in asvspoof2017.protocols(self.root).items():
            listed = asvspoof2017.read_protocol(path)
            asvspoof2017._published(subset, path, listed, said.append)
            counts[subset] = dict(Counter(utterance.label for utterance in listed))
        assert counts == {
            "train": {"genuine": 1507, "spoof": 1507},
            "dev": {"genuine": 760, "spoof": 950},
            "eval": {"genuine": 1298, "spoof": 12008},
        }
        assert said == []

    def test_the_part_that_is_there_is_read(self, said, tmp_path):
        found = read(self.root, said, official=True, allow_missing=True)
        found = {
            subset: recordings.check(subset, listed, copies=tmp_path, say=said.append)
            for subset, listed in found.items()
        }
        assert {subset: len(utterances) for subset, utterances in found.items()} == {"train": 3, "dev": 12}
        assert said == [
            "train: 3 of 3014 recordings present",
            "dev: 12 of 1710 recordings present",
            "eval: none of 13306 recordings present; left out",
            f"train: 2 of 3 recordings are read from 16 kHz mono 16-bit copies in {tmp_path / 'train'}: "
            "2 converted without loss",
        ]
        assert all(audio.read(paths.located(u.wav), 16000).size for subset in found.values() for u in subset)

    def test_the_whole_is_missed_where_a_part_is_not_allowed(self):
        message = refusal(self.root, official=True)
        assert "(3011 of the 3014 of train are missing)" in message
        assert message.endswith("To use only what is there: corpus.allow_missing=true.")
