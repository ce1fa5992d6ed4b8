"""Kaldi's i-vector programs at the process boundary: stand-ins record their calls, and whether inputs exist.

What Kaldi computes is compared in test_extractor.py, with golden numbers of its programs.
"""

import json
import re
import sys
from pathlib import Path

import pytest

from afn.common.errors import UserError
from afn.systems.ivector import kaldi
from afn.systems.ivector.system import BACK_END, KALDI, IVectorSystem
from planted import row, subset

# A program writes the hash of its name, its options and the content of its inputs; the last one vectors made of it.
STAND_IN = f"""#!{sys.executable} -SIE
import hashlib, json, struct, sys
from pathlib import Path
here, name, words = Path(__file__).parent, Path(__file__).name, sys.argv[1:]
options = [word for word in words if word.startswith("--") and not word.startswith("--gselect=")]
inputs = [word.rpartition("=")[2] for word in words if word not in options]
out = inputs.pop(0 if name.endswith("mm-global-sum-accs") else -1)
made, utterances = hashlib.sha256(" ".join([name, *options]).encode()), []
for file in inputs:
    kind, _, path = file.rpartition(":")
    content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    if kind == "scp":
        utterances = [line.split()[0] for line in content.splitlines()]
        content = b" ".join(utterances)
    made.update(content)
with (here / "calls").open("a+") as file:  # after the program that it reads from
    file.write(json.dumps([name, *words]) + chr(10))
    file.seek(0)
    count = [json.loads(line)[0] for line in file].count(name)
if (here / "fail").exists() and (here / "fail").read_text() == f"{{name}} {{count}}":
    sys.exit("ERROR (it) out of luck")
content = made.hexdigest().encode()
if name == "ivector-extract":
    lost = (here / "lose").read_bytes() if (here / "lose").exists() else b""
    vectors = [(u, hashlib.sha256(content + u).digest()) for u in utterances if u != lost]
    content = b"".join(u + b" \\0BFV \\4" + struct.pack("<i3f", 3, *hash[:3]) for u, hash in vectors)
(sys.stdout.buffer.write if out == "ark:-" else Path(out.rpartition(":")[2]).write_bytes)(content)
"""
# Components 4, iterations 2, 1 and 1, one part. W is the folder of unfinished work, M of unfinished files.
SEQUENCE = """
gmm-global-init-from-feats --num-threads=1 --num-frames=500000 --min-gaussian-weight=0.0001 --min-variance=0.001 \
--srand=7 --num-gauss=4 --num-gauss-init=4 --num-iters=20 scp:W/feats.scp M/diagonal.0.dubm
gmm-gselect --n=4 W/diagonal.0.dubm scp:W/feats.0.scp ark:M/gmm-global.0.alignment
gmm-global-acc-stats --gselect=ark,s,cs:W/gmm-global.0.alignment W/diagonal.0.dubm scp:W/feats.0.scp \
M/gmm-global.1.0.acc
gmm-global-sum-accs M/gmm-global.1.acc W/gmm-global.1.0.acc
gmm-global-est --remove-low-count-gaussians=false --min-gaussian-weight=0.0001 --min-variance=0.001 W/diagonal.0.dubm \
W/gmm-global.1.acc M/diagonal.1.dubm
gmm-global-acc-stats --gselect=ark,s,cs:W/gmm-global.0.alignment W/diagonal.1.dubm scp:W/feats.0.scp \
M/gmm-global.2.0.acc
gmm-global-sum-accs M/gmm-global.2.acc W/gmm-global.2.0.acc
gmm-global-est --remove-low-count-gaussians=true --min-gaussian-weight=0.0001 --min-variance=0.001 W/diagonal.1.dubm \
W/gmm-global.2.acc M/diagonal.2.dubm
gmm-global-to-fgmm W/diagonal.2.dubm M/full.0.ubm
fgmm-global-to-gmm W/full.0.ubm M/full.dubm
gmm-gselect --n=4 W/full.dubm scp:W/feats.0.scp ark:M/fgmm-global.0.alignment
fgmm-global-acc-stats --gselect=ark,s,cs:W/fgmm-global.0.alignment W/full.0.ubm scp:W/feats.0.scp \
M/fgmm-global.1.0.acc
fgmm-global-sum-accs M/fgmm-global.1.acc W/fgmm-global.1.0.acc
fgmm-global-est --remove-low-count-gaussians=true --min-gaussian-weight=0.0001 --variance-floor=0.001 W/full.0.ubm \
W/fgmm-global.1.acc M/final.ubm
fgmm-global-to-gmm final.ubm M/final.dubm
ivector-extractor-init --ivector-dim=3 --use-weights=false final.ubm M/0.ie
gmm-gselect --n=2 final.dubm scp:W/feats.0.scp ark:-
fgmm-global-gselect-to-post --min-post=0.025 final.ubm scp:W/feats.0.scp ark,s,cs:- \
ark:M/ivector-extractor.0.alignment
ivector-extractor-acc-stats --num-threads=1 W/0.ie scp:W/feats.0.scp ark,s,cs:W/ivector-extractor.0.alignment \
M/ivector-extractor.1.0.acc
ivector-extractor-sum-accs W/ivector-extractor.1.0.acc M/ivector-extractor.1.acc
ivector-extractor-est --num-threads=1 W/0.ie W/ivector-extractor.1.acc M/final.ie
""".strip().splitlines()
EXTRACTION = """
gmm-gselect --n=2 final.dubm scp:T/feats.0.scp ark:-
fgmm-global-gselect-to-post --min-post=0.025 final.ubm scp:T/feats.0.scp ark,s,cs:- ark:-
ivector-extract final.ie scp:T/feats.0.scp ark,s,cs:- ark:M/ivectors.0.ark
""".strip().splitlines()
SHORT = [
    "ubm.iterations=2",
    "ubm.full_iterations=1",
    "extractor.iterations=1",
    "extractor.selected=2",
    "programs=kaldi",
]


@pytest.fixture(scope="module")
def corpus():
    return subset("train", 1, utterances=12), subset("dev", 2, utterances=12)


class StandIns:
    """The programs in a folder; what is written into its files `fail` (program number) and `lose` makes them fail."""

    def __init__(self, folder):
        self.folder, self.record = folder, folder / "calls"
        folder.mkdir()
        self.record.touch()
        for name in kaldi.PROGRAMS:
            (folder / name).write_text(STAND_IN)
            (folder / name).chmod(0o755)

    @property
    def calls(self):
        return [json.loads(line) for line in self.record.read_text().splitlines()]


@pytest.fixture
def programs(tmp_path, monkeypatch):
    monkeypatch.delenv("KALDI_ROOT", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "kaldi"))
    monkeypatch.setattr(kaldi, "PARTS", 1)
    return StandIns(tmp_path / "kaldi")


def fitted(corpus, directory, *changes, seed=1):
    system = IVectorSystem(row(*changes), seed)
    system.fit(*corpus, directory)
    return system


def told(calls, directory):
    """The calls as one line each, names relative to the folder of models."""
    folder = str(directory / KALDI) + "/"
    lines = [" ".join(words).replace(folder + "work/", "W/").replace(folder, "") for words in calls]
    return [re.sub(r"(?<= )(ark:)?\S+/making-\w+/", r"\1M/", line) for line in lines]


def test_the_programs_are_those_of_the_recipe_in_its_order_with_its_options(corpus, programs, tmp_path):
    system = fitted(corpus, tmp_path / "exp", *SHORT, seed=7)
    calls = told(programs.calls, tmp_path / "exp")
    assert calls[: len(SEQUENCE)] == SEQUENCE
    names = [words[0] for words in programs.calls]
    assert names[len(SEQUENCE) :] == [line.split()[0] for line in EXTRACTION]
    assert set(names) == set(kaldi.PROGRAMS)
    count = len(names)
    system.score(corpus[1])
    calls = told(programs.calls[count:], tmp_path / "exp")
    scratch = calls[0].split("scp:")[1].split("/")[0]
    assert [line.replace(scratch, "T") for line in calls] == EXTRACTION
    left = sorted(path.name for path in (tmp_path / "exp" / KALDI).iterdir())
    assert left == ["final.dubm", "final.ie", "final.ubm", "log"]


@pytest.mark.slow
def test_parts_are_added_up_and_a_loaded_system_scores_the_same(corpus, programs, tmp_path, monkeypatch):
    monkeypatch.setattr(kaldi, "PARTS", 3)
    monkeypatch.setattr("os.cpu_count", lambda: 2)  # fewer than there are parts
    system = fitted(corpus, tmp_path / "exp", *SHORT)
    for words in programs.calls:
        if words[0].endswith("sum-accs"):
            assert len({word for word in words if re.search(r"\.\d\.\d\.acc$", word)}) == 3
    scores = system.score(corpus[1])
    assert list(scores) == corpus[1].utterances and len(set(scores.values())) == len(scores)
    loaded = IVectorSystem(row(*SHORT), 1)
    loaded.load(tmp_path / "exp")
    assert loaded.score(corpus[1]) == scores


@pytest.mark.slow
@pytest.mark.parametrize("fail", ["gmm-global-est 2", "fgmm-global-gselect-to-post 1"])
def test_finished_models_are_not_recomputed(corpus, programs, tmp_path, fail):
    fitted(corpus, tmp_path / "stopped", *SHORT)
    (tmp_path / "stopped").rename(tmp_path / "through")
    expected = len(programs.calls)
    programs.record.write_text("")
    (programs.folder / "fail").write_text(fail)
    program = fail.split()[0]
    with pytest.raises(UserError, match=f"{program} ended with exit code 1: ERROR .*out of luck"):
        fitted(corpus, tmp_path / "stopped", *SHORT)
    assert not (tmp_path / "stopped" / BACK_END).exists()
    (programs.folder / "fail").unlink()
    fitted(corpus, tmp_path / "stopped", *SHORT)
    # The chain that failed is run once more, nothing else.
    assert len(programs.calls) == expected + (2 if program == "fgmm-global-gselect-to-post" else 1)
    assert (tmp_path / "stopped" / BACK_END).read_bytes() == (tmp_path / "through" / BACK_END).read_bytes()
    assert not (tmp_path / "stopped" / KALDI / "work").exists()
    count = len(programs.calls)
    fitted(corpus, tmp_path / "stopped", *SHORT)
    assert len(programs.calls) == count + len(EXTRACTION)


def test_an_utterance_that_kaldi_leaves_out_is_named(corpus, programs, tmp_path):
    system = fitted(corpus, tmp_path / "exp", *SHORT)
    (programs.folder / "lose").write_text("D_3")
    with pytest.raises(UserError, match=r"Kaldi gave 11 of 12 i-vectors; D_3 is missing"):
        system.score(corpus[1])
    assert not list((tmp_path / "exp" / KALDI).glob(".ivectors-*"))


def test_missing_programs_are_named(corpus, programs, tmp_path):
    (programs.folder / "ivector-extract").unlink()
    with pytest.raises(UserError, match=r"programs=kaldi: ivector-extract not found. Set KALDI_ROOT.*programs=native"):
        fitted(corpus, tmp_path / "exp", *SHORT)
    for name in kaldi.PROGRAMS[1:-1]:
        (programs.folder / name).unlink()
    with pytest.raises(UserError, match="gmm-gselect, gmm-global-acc-stats, gmm-global-sum-accs and 12 more not found"):
        fitted(corpus, tmp_path / "exp", *SHORT)
    assert not programs.calls


def test_models_of_another_training_are_refused(corpus, programs, tmp_path):
    fitted(corpus, tmp_path / "exp", *SHORT)
    system = IVectorSystem(row(*SHORT), 1)
    for change in (lambda path: path.write_bytes(b"other"), Path.unlink):
        change(tmp_path / "exp" / KALDI / "final.dubm")
        with pytest.raises(UserError, match=r"final.dubm: not the model that the back-end was trained on.*--force"):
            system.load(tmp_path / "exp")
