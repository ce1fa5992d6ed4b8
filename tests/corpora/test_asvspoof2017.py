"""The official tree of ASVspoof 2017 Version 2.0: what is read, what is refused, what is said."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from afn.common import config, paths
from afn.common.errors import UserError
from afn.corpora import asvspoof2017, recordings
from afn.corpora.asvspoof2017 import PROTOCOLS, RECORDINGS, ASVspoof2017
from afn.corpora.datadir import Utterance
from afn.features import audio

LINES = {
    "train": ["T_1000002.wav genuine M0001 S01 - - -", "T_1000001.wav spoof M0002 S02 E03 P01 R01"],
    "dev": ["D_1000001.wav genuine M0011 S01 - - -", "D_1000002.wav spoof M0011 S01 E16 P07 R06"],
    "eval": ["E_1000001.wav genuine M0021 S01 - - -", "E_1000002.wav spoof M0022 S01 E01 P15 R13"],
}


def write_protocol(root: Path, subset: str, lines: list[str]) -> Path:
    path = root / "protocol_V2" / PROTOCOLS[subset]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def make(root: Path, lines: dict[str, list[str]], present: int = 2) -> Path:
    """A tree of the official form with the first recordings of each subset; their content does not matter."""
    for subset, of_subset in lines.items():
        write_protocol(root, subset, of_subset)
        (root / RECORDINGS[subset]).mkdir()
        for line in of_subset[:present]:
            (root / RECORDINGS[subset] / line.split()[0]).touch()
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "corpus", LINES)


@pytest.fixture(autouse=True)
def small(request, monkeypatch) -> None:
    """As if the published protocols were those of LINES, and Version 1 had four lines for train; not for real data."""
    if "real_data" not in request.fixturenames:
        texts = {subset: "".join(f"{line}\n" for line in lines) for subset, lines in LINES.items()}
        hashes = {subset: hashlib.sha256(text.encode()).hexdigest() for subset, text in texts.items()}
        monkeypatch.setattr(asvspoof2017, "COUNTS", dict.fromkeys(LINES, {"genuine": 1, "spoof": 1}))
        monkeypatch.setattr(asvspoof2017, "SHA256", hashes)
        monkeypatch.setattr(asvspoof2017, "VERSION_1_COUNTS", {"train": 4})


@pytest.fixture
def said() -> list[str]:
    return []


def read(root: Path, said: list[str], allow_missing: bool = False) -> dict[str, list[Utterance]]:
    corpus = ASVspoof2017(kind="asvspoof2017", name="a", root=str(root), allow_missing=allow_missing)
    return corpus.utterances(root, say=said.append)


def refusal(root: Path, allow_missing: bool = False) -> str:
    with pytest.raises(UserError) as error:
        read(root, [], allow_missing)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_tree_is_read_in_the_order_of_its_protocols_even_beside_version_1(root, said):
    (root / "ASVspoof2017_train.trn").write_text("T_1000001.wav genuine M0001 S01\n")
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


def test_a_recording_that_no_protocol_lists_is_said_and_ignored(root, said):
    for name in ("T_9.wav", "notes.txt"):
        (root / "ASVspoof2017_V2_train" / name).touch()
    assert len(read(root, said)["train"]) == 2
    assert said == ["train: 1 recordings that the protocol does not list are ignored (T_9.wav …)"]


def test_the_configuration_leads_to_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    shipped = config.load(ASVspoof2017, paths.ROOT / "conf/corpora/asvspoof2017.yaml")
    assert (shipped.name, shipped.allow_missing) == ("asvspoof2017", False)
    assert shipped.folder == paths.ROOT / "data/asvspoof2017/corpus"
    assert ASVspoof2017(kind="asvspoof2017", name="mine", root="~/corpus").folder == tmp_path / "corpus"
    with pytest.raises(UserError, match="no such home folder"):
        _ = ASVspoof2017(kind="asvspoof2017", name="mine", root="~no-such-user-here/corpus").folder


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("T_3.wav genuine M1 S01 - -", "6 instead of 7 fields"),
        ("T_3.wav S01", "Version 1"),
        ("T_3.wav fake M1 S01 - - -", "unknown label 'fake'"),
        ("T_3 genuine M1 S01 - - -", "not the bare name of a .wav file"),
        ("../T_3.wav genuine M1 S01 - - -", "not the bare name of a .wav file"),
        ("T_1000002.wav genuine M1 S01 - - -", "is in line 1 already"),
    ],
)
def test_a_malformed_line_is_named(root, line, reason):
    path = write_protocol(root, "train", [*LINES["train"], "", line])
    message = refusal(root)
    assert message.startswith(f"{path}:4: ") and reason in message


def test_missing_recordings_are_counted_and_the_first_is_named(tmp_path):
    root = make(tmp_path / "bare", LINES, present=0)
    message = refusal(root)
    assert f"{root}/ASVspoof2017_V2_train/T_1000002.wav: no such recording (2 of the 2 of train are missing)" in message
    assert "none of the recordings" in refusal(root, allow_missing=True)


def test_allow_missing_takes_what_is_there_and_says_how_much(root, said):
    (root / "ASVspoof2017_V2_train" / "T_1000001.wav").unlink()
    (root / "protocol_V2" / PROTOCOLS["dev"]).unlink()
    (root / "ASVspoof2017_V2_eval").rename(root / "elsewhere")
    found = read(root, said, allow_missing=True)
    assert {subset: [u.utt for u in utterances] for subset, utterances in found.items()} == {"train": ["T_1000002"]}
    assert said == [
        "dev: no ASVspoof2017_V2_dev.trl.txt; left out",
        "train: 1 of 2 recordings present",
        "eval: none of 2 recordings present; left out",
    ]


def test_the_published_counts_with_another_hash_are_a_warning_each(root, said):
    for subset, lines in LINES.items():
        write_protocol(root, subset, lines[::-1])
    assert list(read(root, said)) == list(LINES)
    for subset, text in zip(PROTOCOLS, said, strict=True):
        assert text.startswith("warning: ") and PROTOCOLS[subset] in text and "sha256" in text


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (["genuine"], "1 lines (1 genuine, 0 spoof) instead of Version 2.0's 2 lines (1 genuine, 1 spoof). Download"),
        (["genuine"] * 2, "2 lines (2 genuine, 0 spoof) instead of "),
        (
            ["genuine", "spoof"] * 2,
            "4 lines (2 genuine, 2 spoof) instead of Version 2.0's 2 lines (1 genuine, 1 spoof)",
        ),
    ],
)
def test_other_counts_are_an_error(root, labels, reason):
    path = write_protocol(root, "train", [f"T_{k}.wav {label} M1 S01 - - -" for k, label in enumerate(labels)])
    message = refusal(root, allow_missing=True)
    assert message.startswith(f"{path}: {reason}") and ("This is Version 1. " in message) == (len(labels) == 4)


@pytest.mark.parametrize(
    "place",
    [
        "ASVspoof2017_dev.trl.txt",
        "protocol_V2/ASVspoof2017_train.trn.txt",
        "ASVspoof2017_train_dev/protocol/ASVspoof2017_train.trn",
    ],
)
def test_version_1_is_recognised(tmp_path, place):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    for allow_missing in (False, True):
        message = refusal(tmp_path, allow_missing)
        assert message.startswith(f"{path}: a protocol of ASVspoof 2017 Version 1. Get Version 2.0 with ")


def test_a_missing_tree_is_named_with_the_fix(root, tmp_path):
    assert f"{tmp_path / 'nowhere'}: no such folder. Download it with" in refusal(tmp_path / "nowhere")
    (tmp_path / "x" / "bare").mkdir(parents=True)
    missing = tmp_path / "x" / "bare" / "protocol_V2" / PROTOCOLS["train"]
    assert f"{missing}: no such file. Download it with" in refusal(tmp_path / "x" / "bare")
    for near in (tmp_path, root / "protocol_V2"):
        assert refusal(near).endswith(f"no such file. Did you mean {root}?")


def test_the_published_protocols_and_the_part_that_is_there_are_read(real_data, said, tmp_path):
    root = real_data / "asvspoof2017"
    listed = {s: asvspoof2017.read_protocol(path) for s, path in asvspoof2017.protocols(root).items()}
    assert {
        subset: Counter(utterance.label for utterance in of) for subset, of in listed.items()
    } == asvspoof2017.COUNTS
    found = {
        subset: recordings.check(subset, of, copies=tmp_path, say=said.append)
        for subset, of in read(root, said, allow_missing=True).items()
    }
    assert {subset: len(utterances) for subset, utterances in found.items()} == {"train": 3, "dev": 12}
    assert said == [  # and no other hashes
        "train: 3 of 3014 recordings present",
        "dev: 12 of 1710 recordings present",
        "eval: none of 13306 recordings present; left out",
        f"train: 2 of 3 recordings are read from 16 kHz mono 16-bit copies in {tmp_path / 'train'}: "
        "2 converted without loss",
    ]
    assert all(audio.read(paths.located(u.wav), 16000).size for subset in found.values() for u in subset)
    message = refusal(root)
    assert "(3011 of the 3014 of train are missing)" in message
    assert message.endswith("To use only what is there: corpus.allow_missing=true.")
