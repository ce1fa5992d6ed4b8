"""What users bring along, sound or not: a documented result, or one line that names the file and how to fix it.

Every refusal ends with code 2 and one line on stderr, without a traceback, and leaves everything as it was.
"""

import io
import os
import pickle
import re
import shutil
import struct
import sys
from collections import OrderedDict

import kaldi_io
import numpy as np
import pytest
import soundfile
import torch

import evaluate
import extract
import prepare
import score
import train
from afn.common import errors
from afn.common.paths import ROOT
from afn.corpora import asvspoof2017
from afn.features.archives import FeatureArchive
from made_up_recordings import make, wave

WAVE = wave(1)  # 0.3 s
SAMPLES = WAVE.tobytes()
LCNN = ["--system", "lcnn", "--set", "model.frames=122", "--set", "train.epochs=1", "--set", "features.backend=native"]


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs a stage in this process, in `folder` (tmp_path): exit code, stdout and stderr."""

    def call(main, *arguments, folder=tmp_path):
        capfd.readouterr()
        folders = () if "--scores" in arguments else ("--data", folder / "data", "--exp", folder / "exp")
        monkeypatch.setattr(sys, "argv", [f"{main.__module__}.py", *map(str, (*arguments, *folders))])
        code = 0
        try:
            errors.run(main)
        except SystemExit as stop:
            code = stop.code
        return code, *capfd.readouterr()

    return call


def contents(folder):
    """Files by path, without what an interrupted run keeps to resume."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {path: path.read_bytes() for path in files if not {".forced", "parts"} & set(path.parts)}


def refused(result, *words):
    code, _, said = result
    assert code == 2, result
    assert said.count("\n") == 1 and ".py: error: " in said, said
    for word in words:
        assert word in said, said
    assert len(said) < 1500


def outcome(result, wanted):
    """`wanted` is what the line of a refusal says, or None where the stage succeeds."""
    if wanted is None:
        assert result[0] == 0, result[2]
    else:
        refused(result, *([wanted] if isinstance(wanted, str) else wanted))


# Recordings.


def riff(data=SAMPLES, *, size=None, rate=16000, channels=1, bits=16, form=1, before=b"", after=b"", riff_size=None):
    """A wav file whose header says what it is told to."""
    fmt = struct.pack("<HHIIHH", form, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(data) if size is None else size) + data + after
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def encoded(samples=WAVE, rate=16000, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **({"format": "WAV", "subtype": "PCM_16"} | options))
    return file.getvalue()


FLOAT = WAVE / 2**15
NAN = np.where(np.arange(len(FLOAT)) == 5, np.nan, FLOAT)
PLAIN = riff()
WAVS = {
    # name: (bytes, what the refusal says or None)
    "sound": (PLAIN, None),
    "empty file": (b"", "an empty file. Get the file again"),
    "a text": (b"hello, world\n" * 50, "not a readable recording"),
    "an html page": (b"<!DOCTYPE html><html><body>404</body></html>", "not a readable recording"),
    "zeros": (bytes(4000), "not a readable recording"),
    "four bytes": (PLAIN[:4], "not a readable recording"),
    "cut in the RIFF header": (PLAIN[:11], "not a readable recording"),
    "cut in the format": (PLAIN[:30], "not a readable recording"),
    "cut before the data": (PLAIN[:36], "u.wav"),
    "cut in the length of the data": (PLAIN[:42], "u.wav"),
    "no samples": (riff(b""), "holds no samples"),
    "samples cut off": (PLAIN[:44], "holds no samples"),
    "one sample, cut": (riff(WAVE.tobytes()[:2], size=4), "holds 2 of the 4 bytes"),
    "cut in half": (PLAIN[: len(PLAIN) // 2], "bytes its header promises. Get the file again"),
    "cut by a byte": (PLAIN[:-1], "holds 9599 of the 9600 bytes"),
    "promises twice as much": (riff(size=2 * WAVE.nbytes), "holds 9600 of the 19200 bytes"),
    "promises two GB, as streaming programs write": (riff(size=0x7FFFF000), None),
    "promises four GB, as streaming programs write": (riff(size=0xFFFFFFFF, riff_size=0xFFFFFFFF), None),
    "promises less than there is": (riff(size=WAVE.nbytes // 2), None),
    "RIFF size of nothing": (riff(riff_size=0), None),
    "8 bit": (encoded(subtype="PCM_U8"), "PCM_U8 samples instead of 16-bit PCM. Convert it first"),
    "24 bit": (encoded(subtype="PCM_24"), "PCM_24 samples"),
    "32 bit": (encoded(subtype="PCM_32"), "PCM_32 samples"),
    "float": (encoded(FLOAT, subtype="FLOAT"), None),
    "double": (encoded(FLOAT, subtype="DOUBLE"), None),
    "NaN": (encoded(NAN, subtype="FLOAT"), "FLOAT samples"),
    "mu-law": (encoded(subtype="ULAW"), "ULAW samples"),
    "A-law": (encoded(subtype="ALAW"), "ALAW samples"),
    "IMA ADPCM": (encoded(subtype="IMA_ADPCM"), "IMA_ADPCM samples"),
    "GSM": (encoded(subtype="GSM610", rate=8000), "8000 Hz instead of 16000 Hz, GSM610 samples"),
    "stereo": (encoded(np.stack([WAVE, WAVE], 1)), "2 channels instead of one. Convert it first"),
    "six channels": (encoded(np.stack([WAVE] * 6, 1)), "6 channels instead of one"),
    "8 kHz": (encoded(rate=8000), "8000 Hz instead of 16000 Hz. Convert it first"),
    "44.1 kHz": (encoded(rate=44100), "44100 Hz instead of 16000 Hz"),
    "44.1 kHz stereo 24 bit": (
        encoded(np.stack([WAVE, WAVE], 1), 44100, subtype="PCM_24"),
        "44100 Hz instead of 16000 Hz, 2 ch",
    ),
    "1 Hz": (riff(rate=1), "1 Hz instead of 16000 Hz"),
    "0 Hz": (riff(rate=0), "u.wav"),
    "no channels": (riff(channels=0), "not a readable recording"),
    "99 channels": (riff(channels=99), "u.wav"),
    "0 bits": (riff(bits=0), "u.wav"),
    "an unknown coding": (riff(form=0x4242), "not a readable recording"),
    "says 16 bit, codes float": (riff(form=3), "u.wav"),
    "no format": (b"RIFF\x20\0\0\0WAVEdata\x10\0\0\0" + bytes(16), "not a readable recording"),
    "a chunk before the format": (riff(before=b"LIST\4\0\0\0abcd"), None),
    "a chunk of odd length": (riff(before=b"note\3\0\0\0abc\0"), None),
    "a chunk after the data": (riff(after=b"LIST\4\0\0\0abcd"), None),
    "a chunk that claims the rest": (riff(before=b"LIST\xff\xff\xff\x7f"), "not a readable recording"),
    "big-endian": (encoded(endian="BIG"), None),
    "extensible": (encoded(format="WAVEX"), None),
    "RF64": (encoded(format="RF64"), None),
    "flac": (encoded(format="FLAC"), None),
    "flac, 8 kHz": (encoded(format="FLAC", rate=8000), "8000 Hz"),
    "flac, 24 bit": (encoded(format="FLAC", subtype="PCM_24"), "PCM_24 samples"),
    "flac, header only": (encoded(format="FLAC")[:30], "not a readable recording"),
    "ogg": (encoded(format="OGG", subtype="VORBIS"), "VORBIS samples"),
    "mp3": (encoded(format="MP3", subtype="MPEG_LAYER_III"), "MPEG_LAYER_III samples"),
    "aiff": (encoded(format="AIFF"), None),
    "0.01 s": (riff(WAVE.tobytes()[:320]), None),
    "one sample": (riff(WAVE.tobytes()[:2]), None),
}


def own_corpus(folder, wav, utt="u"):
    """A YAML of a corpus of one utterance."""
    (folder / "lists").mkdir()
    (folder / "lists" / "wav.scp").write_text(f"{utt} {wav}\n")
    (folder / "lists" / "utt2label").write_text(f"{utt} genuine\n")
    (folder / "own.yaml").write_text(f"kind: datadir\nname: own\ndev: {folder / 'lists'}\n")
    return ["--corpus", folder / "own.yaml"]


@pytest.mark.parametrize(("content", "wanted"), WAVS.values(), ids=WAVS)
def test_recordings(run, tmp_path, content, wanted):
    (tmp_path / "u.wav").write_bytes(content)
    corpus = own_corpus(tmp_path, tmp_path / "u.wav")
    before = contents(tmp_path)
    outcome(run(prepare.main, *corpus), wanted)
    assert contents(tmp_path).items() >= before.items()
    if wanted:
        assert "u.wav" in run(prepare.main, *corpus)[2]
        assert contents(tmp_path) == before
        return
    result = run(extract.main, *corpus, *LCNN, "--nj", 1)
    few = soundfile.info(tmp_path / "u.wav").frames < 80
    outcome(result, "1 samples are too few for one frame. Remove the recording" if few else None)
    assert contents(tmp_path).items() >= before.items()


def test_a_recording_of_half_an_hour_is_prepared(run, tmp_path):
    with (tmp_path / "u.wav").open("wb") as file:
        file.write(riff(b"", size=2 * 16000 * 1800))
        file.truncate(44 + 2 * 16000 * 1800)
    outcome(run(prepare.main, *own_corpus(tmp_path, tmp_path / "u.wav")), None)


def folder_there(path):
    path.mkdir()


def named_pipe(path):
    os.mkfifo(path)


def broken_link(path):
    path.symlink_to(path.parent / "nowhere")


def link_to_itself(path):
    path.symlink_to(path)


def headerless(path):
    path.write_bytes(WAVE.tobytes())


NO_FILES = {
    "missing": ("u.wav", lambda path: None, "u.wav: no such recording"),
    "a folder": ("u.wav", folder_there, "u.wav: not a readable recording (not a plain file)"),
    "a named pipe": ("u.wav", named_pipe, "u.wav: not a readable recording (not a plain file)"),
    "a broken link": ("u.wav", broken_link, "nowhere: no such recording"),
    "a link to itself": ("u.wav", link_to_itself, "u.wav: a link that leads to itself. Correct the link"),
    "headerless": ("u.raw", headerless, "u.raw: not a readable recording"),
}


@pytest.mark.parametrize(("name", "there", "wanted"), NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_file_of_a_recording(run, tmp_path, name, there, wanted):
    there(tmp_path / name)
    refused(run(prepare.main, *own_corpus(tmp_path, tmp_path / name)), wanted)


LATER = {
    "gone": (None, "no such recording"),
    "cut": (PLAIN[:2000], "holds 1956 of the 9600 bytes its header promises. Get the file again"),
    "emptied": (b"", "an empty file"),
    "another rate": (encoded(rate=8000), "8000 Hz"),
}


@pytest.mark.parametrize(("content", "wanted"), LATER.values(), ids=LATER)
def test_a_recording_that_is_damaged_after_it_was_prepared(run, tmp_path, content, wanted):
    wav = tmp_path / "u.wav"
    wav.write_bytes(PLAIN)
    corpus = own_corpus(tmp_path, wav)
    assert run(prepare.main, *corpus)[0] == run(extract.main, *corpus, *LCNN, "--nj", 1)[0] == 0
    before = contents(tmp_path / "data" / "own" / "dev")
    if content is None:
        wav.unlink()
    else:
        wav.write_bytes(content)
    refused(run(extract.main, *corpus, *LCNN, "--nj", 1), "own/dev: u changed since stage -2")
    refused(run(prepare.main, *corpus), "u.wav", wanted)
    assert contents(tmp_path / "data" / "own" / "dev").items() <= before.items()


NAMES = [
    "a b.wav",
    "it's.wav",
    'say "hi".wav',
    "$(touch PWNED).wav",
    "`touch PWNED`.wav",
    "a;touch PWNED.wav",
    "ä€.wav",
    "-n.wav",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_a_shell_would_stumble_over_are_names(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(PLAIN)
    corpus = own_corpus(tmp_path, tmp_path / name)
    outcome(run(prepare.main, *corpus), None)
    outcome(run(extract.main, *corpus, *LCNN, "--nj", 1), None)
    assert not list(tmp_path.rglob("*PWNED"))


# Lists of data directories.

TABLES = {
    "windows line ends": ("utt2label", b"u genuine\r\n", None),
    "a byte order mark": ("utt2label", b"\xef\xbb\xbfu genuine\n", None),
    "tabs": ("utt2label", b"u\tgenuine\n", None),
    "trailing blanks and empty lines": ("utt2label", b"\n  u   genuine \t \n\n", None),
    "no last line end": ("utt2label", b"u genuine", None),
    "an empty list": ("utt2label", b"", "utt2label: the file is empty"),
    "a missing label": ("utt2label", b"u\n", "utt2label:1: 1 instead of 2 fields"),
    "an unknown label": ("utt2label", b"u fake\n", "unknown label 'fake'. Write genuine (or bonafide) or spoof"),
    "bona fide": ("utt2label", b"u bonafide\n", None),
    "a label in capitals": ("utt2label", b"u Genuine\n", "unknown label 'Genuine'"),
    "a number for a label": ("utt2label", b"u 1\n", "unknown label '1'"),
    "an utterance twice": ("utt2label", b"u genuine\nu genuine\n", "utt2label:2: u is in line 1 already"),
    "an utterance too many": ("utt2label", b"u genuine\nv spoof\n", "disagree about v"),
    "another utterance": ("utt2label", b"U genuine\n", "disagree about U"),
    "old Mac line ends": ("utt2label", b"u genuine\rv spoof\r", "disagree about v"),
    "no text": ("utt2label", b"\xff\xfe\0u", "utt2label: not a UTF-8 text file"),
    "UTF-16": ("utt2label", "u genuine\n".encode("utf-16"), "not a UTF-8 text file"),
    "NUL bytes": ("utt2label", bytes(100), "1 instead of 2 fields"),
    "no recordings": ("wav.scp", b"", "wav.scp: the file is empty"),
    "an id without a file": ("wav.scp", b"u\n", "wav.scp:1: 1 instead of 2 fields"),
    "a pipe": ("wav.scp", b"u sph2pipe -f wav a.sph |\n", ("is a pipe", "shell command", "--allow-pipes")),
    "a pipe to": ("wav.scp", b"u | cat\n", "is a pipe"),
    "an id with a slash": ("wav.scp", b"../u u.wav\n", "disagree about ../u"),
    "NUL in a name": ("wav.scp", b"u a\0b.wav\n", "cannot be written into a wav.scp"),
    "a home that is not": ("wav.scp", b"u ~nobody_at_all/u.wav\n", "no such home folder. Write the whole path"),
    "few conditions": ("utt2cond", b"u E01 P01\n", "utt2cond:1: 3 instead of 4 fields"),
    "conditions of another": ("utt2cond", b"v - - -\n", "wav.scp and utt2cond disagree"),
    "no speaker": ("utt2spk", b"u\n", "utt2spk:1: 1 instead of 2 fields"),
    "two speakers": ("utt2spk", b"u a b\n", "utt2spk:1: 3 instead of 2 fields"),
    "segments": ("segments", b"u r 0 1\n", "segments: segments of recordings are not supported"),
}


@pytest.mark.parametrize(("table", "content", "wanted"), TABLES.values(), ids=TABLES)
def test_lists_of_data_directories(run, tmp_path, table, content, wanted):
    (tmp_path / "u.wav").write_bytes(PLAIN)
    corpus = own_corpus(tmp_path, tmp_path / "u.wav")
    (tmp_path / "lists" / table).write_bytes(content)
    before = contents(tmp_path)
    outcome(run(prepare.main, *corpus), wanted)
    assert contents(tmp_path).items() >= before.items()
    assert wanted is None or contents(tmp_path) == before


@pytest.mark.parametrize("table", ["wav.scp", "utt2label", "utt2spk", "utt2cond"])
def test_a_folder_in_the_place_of_a_list(run, tmp_path, table):
    corpus = own_corpus(tmp_path, tmp_path / "u.wav")
    (tmp_path / "lists" / table).unlink(missing_ok=True)
    (tmp_path / "lists" / table).mkdir()
    refused(run(prepare.main, *corpus), table, "is a directory")


# Protocols of ASVspoof 2017.

LINE = "{0}.wav {1} M01 S01 {2}\n"
LINES = {
    subset: [
        LINE.format(f"{subset[0].upper()}_1", "genuine", "- - -"),
        LINE.format(f"{subset[0].upper()}_2", "spoof", "E01 P01 R01"),
    ]
    for subset in ("train", "dev", "eval")
}


def protocol(change):
    """The lines of the dev protocol, changed; every other one is sound."""
    return change("".join(LINES["dev"])).encode() if callable(change) else change


PROTOCOLS = {
    "sound": (lambda text: text, None),
    "windows line ends": (lambda text: text.replace("\n", "\r\n"), None),
    "a byte order mark": (lambda text: "\ufeff" + text, None),
    "tabs": (lambda text: text.replace(" ", "\t"), None),
    "trailing blanks": (lambda text: text.replace("\n", "  \t\n"), None),
    "empty lines": (lambda text: "\n\n" + text.replace("\n", "\n\n"), None),
    "no last line end": (lambda text: text.rstrip(), None),
    "missing columns": (
        lambda text: text.replace(" - - -", ""),
        ":1: 4 instead of 7 fields",
    ),
    "a column too many": (lambda text: text.replace("R01", "R01 x"), ":2: 8 instead of 7 fields"),
    "an unknown label": (lambda text: text.replace("spoof", "fake"), ":2: unknown label 'fake'"),
    "labels in capitals": (lambda text: text.replace("genuine", "Genuine"), ":1: unknown label 'Genuine'"),
    "a duplicate": (lambda text: text + text, ":3: D_1.wav is in line 1 already"),
    "no ending": (lambda text: text.replace(".wav", ""), ":1: 'D_1' is not the bare name of a .wav file"),
    "a path": (lambda text: text.replace("D_1", "../D_1"), ":1: '../D_1.wav' is not the bare name"),
    "a windows path": (lambda text: text.replace("D_1", "x\\D_1"), "is not the bare name"),
    "only an ending": (lambda text: text.replace("D_1.wav", ".wav"), ":1: '.wav' is not the bare name"),
    "version 1's evaluation list": (
        lambda text: "D_1.wav M01\n",
        ("is Version 1's evaluation list", "Get Version 2.0"),
    ),
    "nothing": (b"", "the file is empty. Download the protocol again"),
    "no text": (b"\xff\xfe\xfa", "not a UTF-8 text file. Download the protocol again"),
    "a line too few": (
        lambda text: text.splitlines()[0] + "\n",
        "1 lines (1 genuine, 0 spoof) instead of Version 2.0's 2",
    ),
    "other counts": (
        lambda text: text.replace("spoof", "genuine"),
        "2 lines (2 genuine, 0 spoof) instead of Version 2.0's 2",
    ),
    "another recording": (
        lambda text: text.replace("D_2", "D_3"),
        "D_3.wav: no such recording (1 of the 2 of dev are missing)",
    ),
    "a NUL": (lambda text: text.replace("D_2", "D_\0"), "no such recording"),
}


@pytest.fixture
def official(tmp_path, monkeypatch):
    """A tree of the official shape with two recordings a subset, and its YAML."""
    monkeypatch.setattr(asvspoof2017, "COUNTS", {subset: {"genuine": 1, "spoof": 1} for subset in LINES})
    root = tmp_path / "corpus"
    (root / "protocol_V2").mkdir(parents=True)
    for subset, lines in LINES.items():
        (root / "protocol_V2" / asvspoof2017.PROTOCOLS[subset]).write_text("".join(lines))
        (root / asvspoof2017.RECORDINGS[subset]).mkdir()
        for line in lines:
            (root / asvspoof2017.RECORDINGS[subset] / line.split()[0]).write_bytes(PLAIN)
    (tmp_path / "official.yaml").write_text(f"kind: asvspoof2017\nname: official\nroot: {root}\n")
    return root


@pytest.mark.parametrize(("change", "wanted"), PROTOCOLS.values(), ids=PROTOCOLS)
def test_protocols(run, tmp_path, official, change, wanted):
    (official / "protocol_V2" / asvspoof2017.PROTOCOLS["dev"]).write_bytes(protocol(change))
    before = contents(tmp_path)
    outcome(run(prepare.main, "--corpus", tmp_path / "official.yaml"), wanted)
    assert contents(tmp_path).items() >= before.items()
    assert wanted is None or contents(tmp_path) == before


def version_1(root):
    shutil.rmtree(root / "protocol_V2")
    (root / "protocol").mkdir()
    (root / "protocol" / "ASVspoof2017_train.trn").write_text("T_1.wav genuine M01 S01 - - -\n")


TREES = {
    "no folder": (shutil.rmtree, "no such folder. Download it"),
    "no protocols": (lambda root: shutil.rmtree(root / "protocol_V2"), "no such protocol. Download it"),
    "version 1": (version_1, "a protocol of ASVspoof 2017 Version 1. Get Version 2.0"),
    "one level too deep": (
        lambda root: root.rename(root.parent / "x") and root.mkdir() or (root.parent / "x").rename(root / "x"),
        "Did you mean",
    ),
    "no recordings": (
        lambda root: shutil.rmtree(root / asvspoof2017.RECORDINGS["dev"]),
        "no such recording (2 of the 2 of dev",
    ),
    "a float recording": (
        lambda root: (root / asvspoof2017.RECORDINGS["dev"] / "D_1.wav").write_bytes(encoded(FLOAT, subtype="FLOAT")),
        None,
    ),
    "a NaN recording": (
        lambda root: (root / asvspoof2017.RECORDINGS["dev"] / "D_1.wav").write_bytes(encoded(NAN, subtype="FLOAT")),
        "FLOAT samples instead of 16-bit PCM",
    ),
}


@pytest.mark.parametrize(("change", "wanted"), TREES.values(), ids=TREES)
def test_trees_of_the_official_corpus(run, tmp_path, official, change, wanted):
    change(official)
    outcome(run(prepare.main, "--corpus", tmp_path / "official.yaml"), wanted)


# YAML.

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
SOUND = "kind: datadir\nname: own\ndev: {lists}\n"
YAMLS = {
    "sound": (SOUND, None),
    "a byte order mark": ("\ufeff" + SOUND, None),
    "windows line ends": (SOUND.replace("\n", "\r\n"), None),
    "an anchor": ("kind: datadir\nname: &n own\ndev: {lists}\nsystems: {{neural: {{title: *n}}}}\n", None),
    "an unknown key": (SOUND + "trian: x\n", "unknown key trian; did you mean train?"),
    "an unknown kind": (
        SOUND.replace("datadir", "datadirr"),
        "kind: 'datadirr' must be one of: asvspoof2017, datadir, simulated; did you mean datadir?",
    ),
    "no kind": ("name: own\n", "kind is missing; give one of"),
    "a list for a kind": ("kind: [datadir]\nname: own\n", "kind: ['datadir'] must be one of"),
    "no name": ("kind: datadir\ndev: {lists}\n", "name is missing; add it"),
    "a number for a name": (SOUND.replace("own", "5"), "name: 5 must be text (quote it)"),
    "a list for a path": (SOUND.replace("{lists}", "[a, b]"), "dev: ['a', 'b'] must be text"),
    "a date for a name": (SOUND.replace("own", "2017-01-01"), "name: datetime.date(2017, 1, 1) must be text"),
    "a date that is none": (SOUND.replace("own", "2017-13-45"), "not a YAML file: month must be in 1..12"),
    "no subset": ("kind: datadir\nname: own\n", "none is given; name at least one data directory"),
    "a name that leaves the folder": (SOUND.replace("own", "../own"), "name: '../own' must be the name of a folder"),
    "a hidden name": (SOUND.replace("own", ".own"), "must be the name of a folder"),
    "an empty name": (SOUND.replace("own", "''"), "name: '' must be the name of a folder"),
    "a name of two lines": (SOUND.replace("own", r'"a\nb"'), "must be the name of a folder"),
    "NUL in a name": (SOUND.replace("own", r'"a\0b"'), "must be the name of a folder"),
    "NUL in a path": (SOUND.replace("{lists}", r'"a\0b"'), "/a\\x00b: no such file or folder. Correct the path"),
    "a directory that is not there": (
        SOUND.replace("{lists}", "/nowhere"),
        "/nowhere: no such data directory. Correct corpus.dev",
    ),
    "systems of no mapping": (SOUND + "systems: {{neural: 5}}\n", "systems: it holds `key: value` lines"),
    "systems of a list": (SOUND + "systems: [neural]\n", "systems: ['neural'] must be `key: value` lines"),
    "a key twice": (SOUND + "name: other\n", "name is there a second time, line 4; correct the line it names"),
    "tabs": (SOUND + "\tx: 1\n", "not a YAML file: while scanning"),
    "open brackets": (SOUND + "train: [\n", "not a YAML file: while parsing"),
    "two documents": (SOUND + "---\na: 1\n", "expected a single document"),
    "a list": ("- a\n- b\n", "the file must hold `key: value` lines"),
    "a word": ("hello\n", "the file must hold `key: value` lines"),
    "nothing": ("", "kind is missing"),
    "keys that are numbers": ("1: a\n", "the file must hold `key: value` lines"),
    "control characters": ("a: \x01\n", "not a YAML file: unacceptable character"),
    "a Python object": ("kind: !!python/object/apply:os.system ['touch PWNED']\n", "could not determine a constructor"),
    "an unknown tag": ("kind: !wish you\n", "could not determine a constructor"),
    "a wrong tag": ("kind: !!bool maybe\n", "a value is not what its `!!` tag says"),
    "a whole number of a wrong tag": ("kind: !!int ''\n", "a value is not what its `!!` tag says"),
    "a number of 5000 digits": (SOUND + f"train: {'9' * 5000}\n", "not a YAML file: Exceeds the limit"),
    "a hexadecimal one": (SOUND + f"train: 0x{'f' * 5000}\n", "a number of thousands of digits must be text"),
    "a bomb of aliases": (BOMB, "its aliases stand for more than 200000 values"),
    "an alias of itself": ("kind: &a [*a]\n", "an alias of itself, line 1"),
    "nesting": ("kind: " + "[" * 100 + "]" * 100 + "\n", "it nests more than 50 levels deep"),
    "nesting beyond the stack": ("kind: " + "[" * 100_000 + "\n", "it nests more than 50 levels deep"),
    "five megabytes": ("#" * (5 << 20), "larger than 4 MB, which no configuration is"),
    "a long wrong value": ("kind: datadir\nname: own\ndev: [" + "x, " * 20_000 + "]\n", "must be text (quote it)"),
    "extends itself": ("extends: own.yaml\n", "`extends` runs in a circle (own.yaml -> own.yaml); take one"),
    "extends a number": ("extends: 5\n", "extends: 5 is not a file name"),
    "extends what is not there": ("extends: base.yaml\n", "base.yaml: no such file; choose one of: own.yaml"),
    "extends a folder": ("extends: lists\n", "lists: no such file"),
    "extends a device": ("extends: /dev/zero\n", "/dev/zero: no such file"),
    "extends NUL": (r'extends: "a\0b"' + "\n", "not the name of a file"),
}


@pytest.mark.parametrize(("text", "wanted"), YAMLS.values(), ids=YAMLS)
def test_yamls_of_corpora(run, tmp_path, monkeypatch, text, wanted):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "u.wav").write_bytes(PLAIN)
    corpus = own_corpus(tmp_path, tmp_path / "u.wav")
    if "{lists}" in text:
        text = text.format(lists=tmp_path / "lists")
    (tmp_path / "own.yaml").write_bytes(text.encode())
    before = contents(tmp_path)
    result = run(prepare.main, *corpus)
    outcome(result, wanted)
    assert wanted is None or re.search(r": error: \S*/", result[2])  # the line begins with a file
    assert contents(tmp_path).items() >= before.items()
    assert wanted is None or contents(tmp_path) == before


def test_a_circle_of_three_files_and_a_chain_of_many(run, tmp_path):
    for here, there in ("ab", "bc", "ca"):
        (tmp_path / f"{here}.yaml").write_text(f"extends: {there}.yaml\n")
    refused(run(prepare.main, "--corpus", tmp_path / "a.yaml"), "(a.yaml -> b.yaml -> c.yaml -> a.yaml)")
    for number in range(2000):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    refused(run(prepare.main, "--corpus", tmp_path / "0.yaml"), "`extends` runs through more than 20 files")


SETTINGS = {
    "an unknown key": ("model.framess=5", "unknown key model.framess; did you mean frames?"),
    "an unknown part": ("modell.frames=5", "unknown key modell; did you mean model?"),
    "text for a number": ("train.epochs=many", "train.epochs: 'many' must be a whole number"),
    "a fraction of an epoch": ("train.epochs=1.5", "train.epochs: 1.5 must be a whole number"),
    "true for a number": ("train.epochs=true", "train.epochs: True must be a whole number"),
    "no epochs": ("train.epochs=0", "train.epochs: 0 must be at least 1"),
    "epochs beyond counting": (f"train.epochs={10**30}", "must be a whole number of at most fifteen digits"),
    "a rate beyond numbers": (f"train.learning_rate={10**400}", "must be a finite number"),
    "infinity": ("train.learning_rate=.inf", "train.learning_rate: inf must be a finite number"),
    "a negative rate": ("train.learning_rate=-1", "must be above 0"),
    "few frames": ("model.frames=3", "model.frames: 3 are too few. The network needs at least 122"),
    "a wrong choice": ("train.precision=float16", "train.precision: 'float16' must be one of: auto, float32, bfloat16"),
    "a folder's name": ("features.name=../x", "name: '../x' must be the name of a folder"),
    "options that are not there": ("features.conf=none.conf", "none.conf"),
    "no value": ("train.epochs", "--set train.epochs: write it as name=value"),
    "no name": ("=5", "--set =5: write it as name=value"),
    "no YAML": ("train.epochs=[", "--set train.epochs=[: the value is not YAML"),
    "a name of many parts": (".".join("a" * 2000) + "=1", "write it as name=value"),
}


@pytest.mark.parametrize(("setting", "wanted"), SETTINGS.values(), ids=SETTINGS)
def test_settings_of_systems(run, trained, setting, wanted):
    stage = extract if setting.startswith("features") else train
    before = contents(trained.folder)
    refused(run(stage.main, *trained.options, "--set", setting, "--force", folder=trained.folder), wanted)
    assert contents(trained.folder) == before


def test_a_mistake_on_the_command_line_leaves_no_forced_run_to_resume(run, trained):
    for mistake in (["--set", "train.epochs=0"], ["--seeds", "one"], ["--system", "afm"]):
        assert run(train.main, *trained.options, *mistake, "--force", folder=trained.folder)[0] == 2
    assert not (trained.folder / "exp" / ".forced").exists()


# Features, checkpoints and scores, on a system that is trained.


class Trained:
    """A corpus through all stages but the last: what later tests damage, each a copy of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.options = ["--corpus", folder / "noise.yaml", *LCNN]
        self.seed = folder / "exp" / "noise" / "lcnn" / "seed1"
        self.features = folder / "data" / "noise" / "eval" / "spectrogram"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "whole"
    folder.mkdir()
    make(folder)
    here = Trained(folder)
    before = sys.argv
    for stage in (prepare, extract, train, score):
        system = () if stage is prepare else LCNN
        jobs = ("--nj", 1) if stage in (prepare, extract) else ()
        folders = ("--data", folder / "data", "--exp", folder / "exp")
        sys.argv = [f"{stage.__name__}.py", *map(str, ("--corpus", folder / "noise.yaml", *system, *jobs, *folders))]
        stage.main()
    sys.argv = before
    return here


@pytest.fixture
def trained(finished):
    """The trained system, whole again after the test. The folder is the same, for files name one another by paths."""
    kept = finished.folder.parent / "kept"
    shutil.copytree(finished.folder, kept)
    yield finished
    shutil.rmtree(finished.folder)
    kept.rename(finished.folder)


def matrix(rows=40, columns=257, kind=b"FM ", values=None):
    values = np.zeros((rows, columns), "<f4" if kind == b"FM " else "<f8") if values is None else values
    return b"\0B" + kind + b"\4" + struct.pack("<i", rows) + b"\4" + struct.pack("<i", columns) + values.tobytes()


def replaced(content):
    """Puts `content` in the place of the first matrix of the archive, in an archive of its own."""

    def change(folder):
        utt, _ = (folder / "feats.scp").read_text().split(maxsplit=2)[:2]
        lines = (folder / "feats.scp").read_text().splitlines()[1:]
        (folder / "other.ark").write_bytes(f"{utt} ".encode() + content)
        first = f"{utt} {folder / 'other.ark'}:{len(utt) + 1}"
        (folder / "feats.scp").write_text("\n".join([first, *lines]) + "\n")

    return change


def listed(change):
    """Changes the first line of feats.scp."""

    def apply(folder):
        first, rest = (folder / "feats.scp").read_text().split("\n", 1)
        (folder / "feats.scp").write_bytes(change(first).encode() + b"\n" + rest.encode())

    return apply


def cut(length):
    def apply(folder):
        with (folder / "feats.1.ark").open("r+b") as file:
            file.truncate(length)

    return apply


def scp(content):
    return lambda folder: (folder / "feats.scp").write_bytes(content)


FEATURES = {
    "sound": (lambda folder: None, None),
    "a byte order mark and windows line ends": (
        lambda folder: (folder / "feats.scp").write_bytes(
            b"\xef\xbb\xbf" + (folder / "feats.scp").read_bytes().replace(b"\n", b"\r\n")
        ),
        None,
    ),
    "double precision": (replaced(matrix(kind=b"DM ")), None),
    "Kaldi's text": (replaced(b" [\n" + b" ".join([b"1"] * 257) + b" ]\n"), None),
    "no list": (lambda folder: (folder / "feats.scp").unlink(), "feats.scp: no such file. Run stage -1 first."),
    "no archive": (lambda folder: (folder / "feats.1.ark").unlink(), "no such archive. Run stage -1 again."),
    "an empty archive": (cut(0), "feats.1.ark"),
    "an archive cut in its first matrix": (cut(1000), "feats.1.ark"),
    "an archive cut by a byte": (lambda f: cut((f / "feats.1.ark").stat().st_size - 1)(f), "no readable matrix"),
    "a wrong offset": (
        listed(lambda line: line.rsplit(":", 1)[0] + ":3"),
        "another utterance is at this place. Run stage -1 again.",
    ),
    "an offset beyond the end": (
        listed(lambda line: line.rsplit(":", 1)[0] + ":99999999"),
        "another utterance is at this place",
    ),
    "an offset beyond numbers": (listed(lambda line: line + "9" * 30), "is not `utterance file.ark:offset`"),
    "a negative offset": (listed(lambda line: line.rsplit(":", 1)[0] + ":-5"), "is not `utterance file.ark:offset`"),
    "no offset": (listed(lambda line: line.rsplit(":", 1)[0]), "is not `utterance file.ark:offset`"),
    "a shell pipe": (
        listed(lambda line: line.split()[0] + " touch PWNED; cat x |"),
        "feats.scp:1: a pipe would run a program",
    ),
    "a pipe at the front": (listed(lambda line: line.split()[0] + " |touch PWNED:5"), "no such archive"),
    "another key": (
        listed(lambda line: "x" + line),
        "labels and features disagree about eval_000. Run stages -2 and -1",
    ),
    "keys exchanged": (
        lambda f: (f / "feats.scp").write_text(
            (f / "feats.scp").read_text().replace("_000 ", "_x ").replace("_001 ", "_000 ").replace("_x ", "_001 ")
        ),
        "another utterance is at this place. Run stage -1 again.",
    ),
    "a key twice": (
        lambda f: (f / "feats.scp").write_text((f / "feats.scp").read_text() * 2),
        "occurs twice. Remove one of the two lines.",
    ),
    "a key too few": (
        lambda f: (f / "feats.scp").write_text((f / "feats.scp").read_text().split("\n", 1)[1]),
        "labels and features disagree about eval_000",
    ),
    "an empty list": (scp(b""), "labels and features disagree"),
    "a list that is no text": (scp(b"\xff\xfe\xfa"), "feats.scp: not a text file. Run stage -1 again."),
    "a list with NUL": (scp(b"eval_000 a\0b:3\n"), "is not `utterance file.ark:offset`"),
    "a folder for an archive": (listed(lambda line: f"{line.split()[0]} /tmp:9"), "Is a directory"),
    "compressed as CM2": (
        replaced(b"\0BCM2" + bytes(100)),
        "Kaldi's compression CM2 or CM3 cannot be read. Run copy-feats --compress=false.",
    ),
    "compressed as CM3": (replaced(b"\0BCM3" + bytes(100)), "Kaldi's compression CM2 or CM3"),
    "compressed, cut": (replaced(b"\0BCM " + bytes(10)), "no readable matrix"),
    "a vector": (replaced(b"\0BFV \4\5\0\0\0" + bytes(20)), "no readable matrix"),
    "a million rows that are not there": (
        replaced(matrix(10**6, 257, values=np.zeros(5, "<f4"))),
        "no readable matrix",
    ),
    "negative rows": (replaced(matrix(-5, 257, values=np.zeros(5, "<f4"))), "The archive is damaged"),
    "no rows": (replaced(matrix(0)), "The archive is damaged"),
    "NaN": (replaced(matrix(2, 257, values=np.full((2, 257), np.nan, "<f4"))), "not a matrix of finite values"),
    "doubles beyond floats": (
        replaced(matrix(2, 257, b"DM ", np.full((2, 257), 1e300))),
        "not a matrix of finite values",
    ),
    "another width": (replaced(matrix(40, 20)), "features have 20 values per frame, the network takes 257"),
    "no binary marker": (replaced(b"hello"), "no readable matrix"),
}


@pytest.mark.parametrize(("change", "wanted"), FEATURES.values(), ids=FEATURES)
def test_archives_and_their_lists(run, trained, monkeypatch, change, wanted):
    monkeypatch.chdir(trained.folder)
    change(trained.features)
    before = contents(trained.folder)
    outcome(run(score.main, *trained.options, "--force", folder=trained.folder), wanted)
    assert not list(trained.folder.rglob("PWNED"))
    if wanted:
        after = contents(trained.folder)
        kept = [path for path in before if path.name != "config.yaml"]  # scores lose their record first
        assert {path: after.get(path) for path in kept} == {path: before[path] for path in kept}


def test_an_archive_that_kaldi_compressed_is_read(golden, tmp_path):
    ark = golden / "kaldi_compressed_cm.ark"
    with ark.open("rb") as file:
        utt = kaldi_io.read_key(file)
        (tmp_path / "feats.scp").write_text(f"{utt} {ark}:{file.tell()}\n")
    assert FeatureArchive(tmp_path / "feats.scp", ROOT)[utt].dtype == np.float32


class Code:
    """Runs a command when it is unpickled by a reader that is not careful."""

    def __reduce__(self):
        return os.system, ("touch PWNED",)


def state(path):
    return torch.load(path, weights_only=True)


def saved(change):
    """Replaces a checkpoint by one with its content changed."""

    def apply(path):
        content = state(path)
        torch.save(change(content), path)

    return apply


def other_network(content):
    return content | {"model": OrderedDict((f"x{name}", tensor) for name, tensor in content["model"].items())}


def other_shape(content):
    return content | {"model": OrderedDict((name, torch.zeros(3)) for name in content["model"])}


def lacking(content):
    return content | {"model": OrderedDict(list(content["model"].items())[1:])}


CHECKPOINTS = {
    "empty": (lambda path: path.write_bytes(b""), "not a readable checkpoint"),
    "truncated": (
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        "not a readable checkpoint",
    ),
    "cut by a byte": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "not a readable checkpoint"),
    "a text": (lambda path: path.write_text("hello\n" * 100), "not a readable checkpoint"),
    "pickled code": (lambda path: path.write_bytes(pickle.dumps({"model": Code()}, 2)), "not a readable checkpoint"),
    "pickled code in PyTorch's format": (lambda path: torch.save({"model": Code()}, path), "not a readable checkpoint"),
    "another network": (saved(other_network), "this network"),
    "other shapes": (saved(other_shape), "this network"),
    "a weight too few": (saved(lacking), "this network"),
    "no model": (saved(lambda content: {"epoch": 1}), "this network ('model')"),
    "a model of text": (saved(lambda content: content | {"model": "x"}), "this network"),
    "a list": (saved(lambda content: [1, 2]), "not a checkpoint, it holds a list"),
    "a tensor": (saved(lambda content: torch.zeros(3)), "not a checkpoint, it holds a Tensor"),
    "a folder": (lambda path: path.unlink() or path.mkdir(), "best.pt"),
}


@pytest.mark.parametrize(("change", "wanted"), CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_checkpoints_to_score_with(run, trained, monkeypatch, change, wanted):
    monkeypatch.chdir(trained.folder)
    change(trained.seed / "best.pt")
    before = contents(trained.folder)
    refused(run(score.main, *trained.options, folder=trained.folder), "best.pt", wanted)
    assert contents(trained.folder) == before


@pytest.mark.parametrize(
    ("change", "wanted"),
    [case for name, case in CHECKPOINTS.items() if name != "a folder"],
    ids=[n for n in CHECKPOINTS if n != "a folder"],
)
def test_checkpoints_to_go_on_from(run, trained, monkeypatch, change, wanted):
    monkeypatch.chdir(trained.folder)
    (trained.seed / "trained").unlink()
    change(trained.seed / "last.pt")
    before = contents(trained.seed)
    refused(run(train.main, *trained.options, folder=trained.folder), "last.pt", wanted, "Train again with --force")
    after = contents(trained.seed)
    assert {
        path: after[path] for path in before if path.name not in ("train.log", "env.json")
    }.items() <= before.items()
    assert not list(trained.folder.rglob("PWNED"))


def damaged(name, content):
    return lambda trained: (trained.folder / name).write_bytes(content)


DAMAGED = {
    "the record of a training, no YAML": ("exp/noise/lcnn/seed1/config.yaml", b"\xff[", train, "seed1"),
    "the record of a training, of another": (
        "exp/noise/lcnn/seed1/config.yaml",
        b"system: lcnn\n",
        train,
        "written by an older version of this program",
    ),
    "a score of a seed": (
        "exp/noise/lcnn/seed1/scores/dev.txt",
        b"dev_000 x\n",
        evaluate,
        "dev.txt:1: 'x' is not a finite number",
    ),
    "a score too few": ("exp/noise/lcnn/scores/dev.txt", b"dev_000 1\n", evaluate, "dev.txt"),
    "scores of another corpus": ("exp/noise/lcnn/scores/eval.txt", b"E_1 1\nE_2 2\n", evaluate, "eval.txt"),
    "the record of averaged scores": (
        "exp/noise/lcnn/scores/config.yaml",
        b"[",
        evaluate,
        "config.yaml: not a YAML file",
    ),
    "env.json": ("exp/noise/lcnn/seed1/env.json", b"{", evaluate, "env.json: not a JSON file"),
    "a table of the corpus": ("data/noise/eval/utt2label", b"x\n", score, "utt2label:1: 1 instead of 2 fields"),
}


@pytest.mark.parametrize(("name", "content", "stage", "wanted"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_outputs_of_earlier_stages(run, trained, name, content, stage, wanted):
    (trained.folder / name).write_bytes(content)
    before = contents(trained.folder)
    options = trained.options[:2] if stage is evaluate else [*trained.options, *(["--force"] if stage is score else [])]
    refused(run(stage.main, *options, folder=trained.folder), wanted)
    assert contents(trained.folder) == before


# Score files.

LABELS = b"a genuine\nb genuine\nc spoof\nd spoof\n"
SCORES = {
    "sound": (b"a 2\nb 1\nc 0\nd -1\n", None),
    "in another order": (b"d -1\nc 0\na 2\nb 1\n", None),
    "windows line ends, a byte order mark, tabs": (b"\xef\xbb\xbfa\t2\r\nb\t1\r\nc\t0\r\n\r\nd\t-1", None),
    "every way to write a number": (b"a +2.\nb .1e1\nc 0E0\nd -1e-0\n", None),
    "nothing": (b"", "the file is empty"),
    "only blanks": (b"\n \n", "the file is empty"),
    "a score too few": (b"a 2\nb 1\nc 0\n", "no score for d"),
    "a score too many": (b"a 2\nb 1\nc 0\nd -1\ne 3\n", "no label in"),
    "an utterance twice": (b"a 2\na 2\nb 1\nc 0\nd -1\n", ":2: a is in line 1 already"),
    "no score": (b"a\nb 1\nc 0\nd -1\n", ":1: 1 instead of 2 fields. A line is `utt score`"),
    "two scores": (b"a 2 3\nb 1\nc 0\nd -1\n", ":1: 3 instead of 2 fields"),
    "a word": (b"a two\nb 1\nc 0\nd -1\n", ":1: 'two' is not a finite number"),
    "a decimal comma": (b"a 2,5\nb 1\nc 0\nd -1\n", ":1: '2,5' is not a finite number"),
    "an underscore": (b"a 1_000\nb 1\nc 0\nd -1\n", "'1_000' is not a finite number"),
    "NaN": (b"a nan\nb 1\nc 0\nd -1\n", ":1: 'nan' is not a finite number"),
    "infinity": (b"a inf\nb 1\nc 0\nd -1\n", "'inf' is not a finite number"),
    "beyond numbers": (b"a 1e999\nb 1\nc 0\nd -1\n", "'1e999' is not a finite number"),
    "hexadecimal": (b"a 0x1\nb 1\nc 0\nd -1\n", "'0x1' is not a finite number"),
    "other digits": ("a ٢\nb 1\nc 0\nd -1\n".encode(), "is not a finite number"),
    "no text": (b"\xff\xfe\xfa", "not a UTF-8 text file. Name a text file of `utt score` lines"),
    "a header": (b"utt score\na 2\nb 1\nc 0\nd -1\n", ":1: 'score' is not a finite number"),
    "a CSV": (b"a,2\nb,1\n", ":1: 1 instead of 2 fields"),
}


@pytest.mark.parametrize(("content", "wanted"), SCORES.values(), ids=SCORES)
def test_score_files(run, tmp_path, content, wanted):
    (tmp_path / "scores.txt").write_bytes(content)
    (tmp_path / "labels").write_bytes(LABELS)
    result = run(evaluate.main, "--scores", tmp_path / "scores.txt", "--labels", tmp_path / "labels")
    outcome(result, wanted)
    if wanted is None:
        assert "0.0000 %" in result[1]
    else:
        assert "scores.txt" in result[2]


LABEL_FILES = {
    "one class": (b"a genuine\nb genuine\nc genuine\nd genuine\n", "no spoof utterance. An EER needs both classes"),
    "an unknown label": (LABELS.replace(b"spoof", b"replay"), ":3: unknown label 'replay'"),
    "no label": (b"a\n", ":1: 1 instead of 2 fields. A line is `utt genuine|spoof`"),
    "nothing": (b"", "the file is empty"),
    "an utterance twice": (LABELS + LABELS, ":5: a is in line 1 already"),
}


@pytest.mark.parametrize(("content", "wanted"), LABEL_FILES.values(), ids=LABEL_FILES)
def test_label_files(run, tmp_path, content, wanted):
    (tmp_path / "scores.txt").write_bytes(b"a 2\nb 1\nc 0\nd -1\n")
    (tmp_path / "labels").write_bytes(content)
    refused(run(evaluate.main, "--scores", tmp_path / "scores.txt", "--labels", tmp_path / "labels"), "labels", wanted)


OPTIONS = {
    "a missing score file": ((evaluate, "--scores", "/nowhere", "--labels", "/nowhere"), "/nowhere: no such file"),
    "labels forgotten": ((evaluate, "--scores", "/nowhere"), "go together"),
    "seeds of words": ((train, "--seeds", "one"), "--seeds one: write whole numbers"),
    "seeds backwards": ((train, "--seeds", "3-1"), "--seeds 3-1"),
    "seeds beyond memory": ((train, "--seeds", "1-999999999"), "--seeds 1-999999999"),
    "no jobs": ((extract, "--nj", "0"), "'0' must be a whole number above 0"),
    "an unknown option": ((prepare, "--allow-pipe"), "unrecognized arguments: --allow-pipe"),
    "an unknown system": ((train, "--system", "afm"), "afm.yaml: no such file; choose one of"),
    "a hidden system": ((train, "--system", "x/.yaml"), ".yaml: no such file"),
}


@pytest.mark.parametrize(("command", "wanted"), OPTIONS.values(), ids=OPTIONS)
def test_options(run, tmp_path, command, wanted):
    stage, *arguments = command
    refused(run(stage.main, *arguments), wanted)
    assert not list(tmp_path.iterdir())
