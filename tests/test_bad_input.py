"""What users get wrong: exit code 2, one line that names the file and how to fix it, and nothing is changed."""

import os
import pickle
import shutil
from collections import OrderedDict

import numpy as np
import pytest
import soundfile
import torch

from made_up_recordings import make, wave
from stages import Pipeline, overrides

ROW = ["--system", "lcnn", *overrides("model.frames=122", "train.epochs=1", "features.backend=native")]
SEED, SCORES = "exp/noise/lcnn/seed1", "exp/noise/lcnn/scores"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A corpus of one's own through all stages but the last; each test damages it and has it restored."""
    folder = tmp_path_factory.mktemp("bad") / "whole"
    pipeline = Pipeline(folder, make(folder), *ROW)
    pipeline.run((-2, -1, 0, 2))
    return pipeline


@pytest.fixture
def here(finished, monkeypatch):
    with finished.restored():
        monkeypatch.chdir(finished.folder)
        yield finished


# How a file is damaged: functions of its path. A text replaces the content, so do bytes; None removes it.


def folder(path):
    path.unlink(missing_ok=True)
    path.mkdir()


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def more(text):
    return lambda path: path.write_text(path.read_text() + text)


def text(old, new):
    def change(path):
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change


def first_line(change):
    """Changes the words of the first line, as (utterance, rest)."""

    def apply(path):
        first, others = path.read_text().split("\n", 1)
        path.write_text(f"{change(*first.split(' ', 1))}\n{others}")

    return apply


def matrix(values):
    """The first utterance of the list gets these features."""

    def apply(scp):
        sizes = b"".join(b"\4" + size.to_bytes(4, "little") for size in values.shape)
        content = scp.read_text().split()[0].encode() + b" \0BFM " + sizes + values.astype("<f4").tobytes()
        (scp.parent / "other.ark").write_bytes(content)
        first_line(lambda utt, _: f"{utt} {scp.parent / 'other.ark'}:{len(utt) + 1}")(scp)

    return apply


class Code:
    """Runs a command when it is unpickled by a reader that is not careful."""

    def __reduce__(self):
        return os.system, ("touch PWNED",)


def checkpoint(change):
    return lambda path: torch.save(change(torch.load(path, weights_only=True)), path)


def other_network(content):
    return content | {"model": OrderedDict((f"x{name}", tensor) for name, tensor in content["model"].items())}


def other_shapes(content):
    return content | {"model": OrderedDict((name, torch.zeros(3)) for name in content["model"])}


def damage(path, how):
    if how is None:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    elif callable(how):
        how(path)
    else:
        path.write_bytes(how if isinstance(how, bytes) else how.encode())


WAV, WAVS, LABELS = "wav/dev_000.wav", "lists/dev/wav.scp", "lists/dev/utt2label"
YAML, FEATS, ARK = "noise.yaml", "data/noise/eval/spectrogram/feats.scp", "data/noise/eval/spectrogram/feats.1.ark"
BEST = f"{SEED}/best.pt"
CASES = {
    # what is wrong: (file, how, stage, what the line says)
    "no recording": (WAV, None, -2, "dev_000.wav"),
    "an empty recording": (WAV, b"", -2, "dev_000.wav"),
    "a recording that is an HTML page": (WAV, "<!DOCTYPE html><html>404</html>", -2, "dev_000.wav: not a readable"),
    "a recording cut in half": (WAV, cut, -2, "dev_000.wav"),
    "a folder for a recording": (WAV, folder, -2, "dev_000.wav"),
    "a recording without samples": (WAV, lambda path: soundfile.write(path, wave(1)[:0], 16000), -2, "no samples"),
    "a recording cut after stage -2": (WAV, cut, -1, "dev_000 changed since stage -2"),
    "an empty list": (LABELS, "", -2, "utt2label: the file is empty"),
    "no list": (LABELS, None, -2, "utt2label"),
    "a folder for a list": (LABELS, folder, -2, "utt2label"),
    "a missing label": (LABELS, more("u\n"), -2, "utt2label:5: 1 instead of 2 fields"),
    "an unknown label": (LABELS, text("spoof", "fake"), -2, "unknown label 'fake'"),
    "an utterance twice": (LABELS, more("dev_000 spoof\n"), -2, "utt2label:5: dev_000"),
    "an utterance too many": (LABELS, more("dev_9 spoof\n"), -2, "disagree about dev_9"),
    "UTF-16": (LABELS, "dev_000 genuine\n".encode("utf-16"), -2, "utt2label: not a UTF-8 text file"),
    "a pipe": (WAVS, first_line(lambda utt, _: f"{utt} sph2pipe -f wav a.sph |"), -2, "--allow-pipes"),
    "an id without a file": (WAVS, more("u\n"), -2, "wav.scp:5: 1 instead of 2 fields"),
    "an unknown key": (YAML, more("trian: x\n"), -2, "trian"),
    "an unknown kind": (YAML, text("datadir", "datadirr"), -2, "datadir"),
    "no kind": (YAML, text("kind: datadir\n", ""), -2, "kind"),
    "a number for text": (YAML, text("name: noise", "name: 5"), -2, "name"),
    "a key twice": (YAML, more("name: other\n"), -2, "name"),
    "tabs in YAML": (YAML, more("\tx: 1\n"), -2, "noise.yaml"),
    "a list for a YAML": (YAML, "- a\n", -2, "noise.yaml"),
    "a Python object": (YAML, "kind: !!python/object/apply:os.system ['touch PWNED']\n", -2, "noise.yaml"),
    "a name that leaves the folder": (YAML, text("name: noise", "name: ../noise"), -2, "../noise"),
    "no such data directory": (YAML, text("/lists/dev", "/lists/none"), -2, "/lists/none"),
    "a YAML that extends itself": (YAML, "extends: noise.yaml\n", -2, "noise.yaml"),
    "a YAML that extends none": (YAML, "extends: base.yaml\n", -2, "base.yaml: no such file"),
    "no features": (FEATS, None, 2, "Run stage -1"),
    "no archive": (ARK, None, 2, "no such archive. Run stage -1 again."),
    "an empty archive": (ARK, b"", 2, "feats.1.ark"),
    "an archive cut in half": (ARK, cut, 2, "feats.1.ark"),
    "an archive cut by a byte": (ARK, lambda path: path.write_bytes(path.read_bytes()[:-1]), 2, "no readable matrix"),
    "another offset": (FEATS, text("feats.1.ark:9", "feats.1.ark:3"), 2, "another utterance is at this place"),
    "no offset": (FEATS, text("feats.1.ark:9", "feats.1.ark"), 2, "is not `utterance file.ark:offset`"),
    "a pipe in a list of features": (FEATS, first_line(lambda utt, _: f"{utt} touch PWNED |"), 2, "a pipe"),
    "an utterance without features": (FEATS, lambda p: p.write_text(p.read_text().split("\n", 1)[1]), 2, "eval_000"),
    "features that are no number": (FEATS, matrix(np.full((2, 257), np.nan)), 2, "not a matrix of finite values"),
    "features of another width": (FEATS, matrix(np.zeros((2, 20))), 2, "20 values per frame, the network takes 257"),
    "an empty checkpoint": (BEST, b"", 2, "best.pt: not a readable checkpoint"),
    "a checkpoint cut in half": (BEST, cut, 2, "best.pt: not a readable checkpoint"),
    "a pickle": (BEST, pickle.dumps({"model": Code()}, 2), 2, "best.pt: not a readable checkpoint"),
    "code in PyTorch's format": (BEST, checkpoint(lambda _: {"model": Code()}), 2, "not a readable checkpoint"),
    "another network": (BEST, checkpoint(other_network), 2, "not weights of this network"),
    "other shapes": (BEST, checkpoint(other_shapes), 2, "not weights of this network"),
    "a checkpoint without a model": (BEST, checkpoint(lambda _: {"epoch": 1}), 2, "this network"),
    "a tensor alone": (BEST, checkpoint(lambda _: torch.zeros(3)), 2, "not a checkpoint, it holds a Tensor"),
    "no checkpoint": (BEST, None, 2, "best.pt"),
    "an unfinished training": (f"{SEED}/trained", None, 2, "training is not finished. Run stage 0"),
    "a record that is no YAML": (f"{SEED}/config.yaml", b"\xff[", 0, "config.yaml"),
    "a record of another version": (f"{SEED}/config.yaml", "system: lcnn\n", 0, "older version of this program"),
    "no record": (f"{SEED}/config.yaml", None, 0, "without its config.yaml"),
    "a damaged table of the corpus": ("data/noise/eval/utt2label", "x\n", 2, "utt2label:1: 1 instead of 2 fields"),
    "a damaged score": (f"{SEED}/scores/dev.txt", "dev_000 x\n", 3, "dev.txt:1: 'x' is not a finite number"),
    "a score too few": (f"{SCORES}/dev.txt", "dev_000 1\n", 3, "dev.txt"),
    "scores of another corpus": (f"{SCORES}/eval.txt", "E_1 1\nE_2 2\n", 3, "eval.txt"),
    "a damaged record of scores": (f"{SCORES}/config.yaml", "[", 3, "config.yaml: not a YAML file"),
    "a damaged env.json": (f"{SEED}/env.json", "{", 3, "env.json: not a JSON file"),
}


@pytest.mark.parametrize(("name", "how", "number", "wanted"), CASES.values(), ids=CASES)
def test_a_mistake_is_one_line_and_changes_nothing(here, name, how, number, wanted):
    damage(here.folder / name, how)
    # A stage that finds work to do removes its record first: what is half done must not pass for up to date.
    without = ("config.yaml",) if number == -2 else ()
    if number == 2:
        shutil.rmtree(here.folder / SEED / "scores")
    before = here.contents(without)
    here.ended(number).refused(wanted)
    assert here.contents(without) == before
    assert not list(here.folder.rglob("PWNED"))


@pytest.mark.parametrize("name", [LABELS, YAML, FEATS])
def test_what_windows_writes_is_read(here, name):
    content = (here.folder / name).read_bytes()
    (here.folder / name).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    here.run((-2, 2), "--force")


NAMES = ["a b.wav", "it's.wav", "$(touch PWNED).wav", "a;touch PWNED.wav", "ä€.wav", "-n.wav"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_a_shell_would_stumble_over_are_names(here, name):
    (here.folder / WAV).rename(here.folder / "wav" / name)
    text("dev_000.wav", name)(here.folder / WAVS)
    here.run((-2, -1))
    assert not list(here.folder.rglob("*PWNED"))


@pytest.mark.parametrize("how", [b"", cut, checkpoint(other_network), checkpoint(lambda content: [1, 2])])
def test_a_checkpoint_that_training_cannot_go_on_from_is_left_as_it_is(here, how):
    seed = here.folder / SEED
    (seed / "trained").unlink()
    damage(seed / "last.pt", how)
    before = here.contents(without=("train.log", "env.json"))
    here.ended(0).refused("last.pt", "Train again with --force")
    assert here.contents(without=("train.log", "env.json")) == before


OPTIONS = {  # tests/common has the mistakes that any setting can have
    "an unknown setting": (0, overrides("model.framess=5"), ("model.framess", "frames")),
    "a negative rate": (0, overrides("train.learning_rate=-1"), ("train.learning_rate",)),
    "too few frames": (0, overrides("model.frames=3"), ("model.frames", "122")),
    "options that are not there": (-1, overrides("features.conf=none.conf"), ("none.conf",)),
    "a setting without a value": (0, overrides("train.epochs"), ("--set train.epochs: write it as name=value",)),
    "seeds of words": (0, ["--seeds", "one"], ("--seeds one",)),
    "seeds beyond memory": (0, ["--seeds", "1-999999999"], ("--seeds 1-999999999",)),
    "no jobs": (-1, ["--nj", "0"], ("'0' must be a whole number above 0",)),
    "an unknown option": (-2, ["--allow-pipe"], ("unrecognized arguments: --allow-pipe",)),
    "an unknown system": (0, ["--system", "afm"], ("afm.yaml: no such file",)),
    "labels without scores": (3, ["--labels", "/nowhere"], ("go together",)),
}


@pytest.mark.parametrize(("number", "options", "wanted"), OPTIONS.values(), ids=OPTIONS)
def test_a_wrong_option_is_named_and_changes_nothing(here, number, options, wanted):
    before = here.contents()
    here.ended(number, *options, "--force").refused(*wanted)
    assert here.contents() == before
