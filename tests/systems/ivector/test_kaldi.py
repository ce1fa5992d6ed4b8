"""Kaldi's i-vector programs at the process boundary: stand-ins check their calls; the chain gives what ours gives."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest

from afn.common.errors import UserError
from afn.systems.ivector import kaldi
from afn.systems.ivector.system import BACK_END, KALDI, IVectorSystem
from afn.systems.subset import Subset
from kaldi_stand_ins import PROGRAMS, StandIns
from planted import margin, row, subset

KALDIS = "programs=kaldi"

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
SHORT = ["ubm.iterations=2", "ubm.full_iterations=1", "extractor.iterations=1", "extractor.selected=2", KALDIS]


@pytest.fixture(scope="module")
def corpus():
    return subset("train", 1, utterances=12), subset("dev", 2, utterances=12)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    # A socket's name may have 107 letters; that of tmp_path may have more.
    with tempfile.TemporaryDirectory() as folder:
        stand_ins = StandIns(tmp_path / "kaldi", Path(folder) / "socket")
        monkeypatch.setenv("KALDI_ROOT", str(tmp_path / "kaldi"))
        monkeypatch.setattr(kaldi, "PARTS", 1)
        yield stand_ins
        stand_ins.close()


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
    assert set(names) == set(kaldi.PROGRAMS) == set(PROGRAMS)
    programs.calls.clear()
    system.score(corpus[1])
    calls = told(programs.calls, tmp_path / "exp")
    scratch = calls[0].split("scp:")[1].split("/")[0]
    assert [line.replace(scratch, "T") for line in calls] == EXTRACTION
    left = sorted(path.name for path in (tmp_path / "exp" / KALDI).iterdir())
    assert left == ["final.dubm", "final.ie", "final.ubm", "log"]


@pytest.mark.parametrize("parts", [1, 3])
def test_with_the_same_models_the_chain_scores_as_our_own(corpus, programs, tmp_path, monkeypatch, parts):
    monkeypatch.setattr(kaldi, "PARTS", parts)
    monkeypatch.setattr(kaldi.os, "cpu_count", lambda: 2)  # fewer than there are parts
    theirs = fitted(corpus, tmp_path / "theirs", KALDIS, "extractor.selected=3")
    ours = fitted(corpus, tmp_path / "ours", "extractor.selected=3")
    for name in corpus[0], corpus[1]:
        vectors = theirs.extract(name)
        assert vectors.dtype == np.float64
        np.testing.assert_allclose(vectors, ours.extract(name), atol=2e-5)
    scores = ours.score(corpus[1])
    assert theirs.score(corpus[1]) == pytest.approx(scores, abs=1e-4)
    assert margin(theirs, corpus[1]) > 0.9
    assert programs.count("ivector-extract") == parts * 5  # one subset of fit, then four
    loaded = IVectorSystem(row(KALDIS, "extractor.selected=3"), 1)
    loaded.load(tmp_path / "theirs")
    assert loaded.score(corpus[1]) == theirs.score(corpus[1])


@pytest.mark.parametrize(
    "fail",
    [
        ("gmm-global-est", 2),
        ("fgmm-global-gselect-to-post", 1),
        ("ivector-extractor-est", 1),
    ],
)
def test_finished_models_are_not_recomputed(corpus, programs, tmp_path, fail):
    fitted(corpus, tmp_path / "through", *SHORT)
    expected = len(programs.calls)
    programs.calls.clear()
    programs.fail = fail
    with pytest.raises(UserError, match=f"{fail[0]} ended with exit code 1: ERROR .*out of luck"):
        fitted(corpus, tmp_path / "stopped", *SHORT)
    assert not (tmp_path / "stopped" / BACK_END).exists()
    before, programs.fail = len(programs.calls), None
    fitted(corpus, tmp_path / "stopped", *SHORT)
    again = len(programs.calls) - before
    # The chain that failed is run once more, nothing else.
    assert before + again == expected + (2 if fail[0] == "fgmm-global-gselect-to-post" else 1)
    assert (tmp_path / "stopped" / BACK_END).read_bytes() == (tmp_path / "through" / BACK_END).read_bytes()
    assert not (tmp_path / "stopped" / KALDI / "work").exists()
    count = len(programs.calls)
    fitted(corpus, tmp_path / "stopped", *SHORT)
    assert len(programs.calls) == count + len(EXTRACTION)


def test_a_full_size_model_begins_with_half_of_its_gaussians(corpus, programs, tmp_path):
    fitted(corpus, tmp_path / "exp", *SHORT, "ubm.components=20", "ubm.iterations=1", "extractor.selected=null")
    assert "--num-gauss=20" in programs.calls[0] and "--num-gauss-init=10" in programs.calls[0]
    selections = [words[1] for words in programs.calls if words[0] == "gmm-gselect"]
    assert set(selections) == {"--n=20"}


def test_an_utterance_that_kaldi_leaves_out_is_named(corpus, programs, tmp_path):
    system = fitted(corpus, tmp_path / "exp", *SHORT)
    programs.lose = "D_3"
    with pytest.raises(UserError, match=r"Kaldi gave 11 of 12 i-vectors; D_3 is missing"):
        system.score(corpus[1])
    assert not list((tmp_path / "exp" / KALDI).glob(".ivectors-*"))


def test_missing_programs_are_named(corpus, programs, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    (tmp_path / "kaldi" / "src" / "ivectorbin" / "ivector-extract").unlink()
    with pytest.raises(UserError, match=r"programs=kaldi: ivector-extract not found. Set KALDI_ROOT.*programs=native"):
        fitted(corpus, tmp_path / "exp", *SHORT)
    assert not programs.calls
    monkeypatch.delenv("KALDI_ROOT")
    with pytest.raises(UserError, match="gmm-gselect, gmm-global-acc-stats and 13 more not found"):
        fitted(corpus, tmp_path / "exp", *SHORT)


def test_models_of_another_training_are_refused(corpus, programs, tmp_path):
    fitted(corpus, tmp_path / "exp", *SHORT)
    system = IVectorSystem(row(*SHORT), 1)
    for change in (lambda path: path.write_bytes(b"other"), Path.unlink):
        change(tmp_path / "exp" / KALDI / "final.dubm")
        with pytest.raises(UserError, match=r"final.dubm: not the model that the back-end was trained on.*--force"):
            system.load(tmp_path / "exp")


def test_names_pass_through_no_shell(corpus, programs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a $(touch PWNED) 'b'; touch PWNED"
    system = fitted(corpus, folder, *SHORT)
    train = corpus[0]
    odd = {"$(touch": "spoof", "PWNED);touch": "spoof"}
    frames = list(train.features.values())
    assert len(system.score(Subset("dev", odd, dict(zip(odd, frames, strict=False))))) == 2
    assert not list(tmp_path.rglob("PWNED"))
