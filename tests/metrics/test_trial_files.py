"""Scores and keys in the forms of the challenges; every form says the same of the same four utterances."""

import pytest

from afn.common.errors import UserError
from afn.metrics import tdcf, trial_files

LABELS = {"u1": "genuine", "u2": "genuine", "u3": "spoof", "u4": "spoof"}
SCORES = {"u1": 2.0, "u2": -1.0, "u3": 0.5, "u4": -3.0}
KEYS = {
    "utt2label": "u1 genuine\nu2 bonafide\n\nu3 spoof\nu4.wav spoof\n",
    "2017": "u1.wav genuine M1 S01 - - -\nu2.wav genuine M2 S01 - - -\nu3.wav spoof M1 S01 E01 P02 R03\n"
    "u4.wav spoof M2 S01 E02 P02 R03\n",
    "2019": "P1 u1 aaa - bonafide\nP2 u2 aab - bonafide\nP1 u3 aaa AB spoof\nP2 u4 aab BC spoof\n",
    "2021": "P1 u1 R1 M1 D4 - - - - bonafide notrim eval\nP2 u2 R2 M1 D4 - - - - bonafide trim eval\n"
    "P1 u3 R1 M1 d4 r1 m1 s4 c4 spoof notrim eval\nP1 v3 R1 M1 d4 r1 m1 s4 c4 spoof notrim progress\n"
    "P2 u4 R2 M1 d4 r1 m1 s3 c4 spoof notrim eval\nP2 w4 R2 M1 d4 r1 m1 s3 c4 spoof trim hidden\n",
    "5": "cm-label\tfilename\nbonafide\tu1.flac\nbona-fide\tu2\nspoof\tu3\nspoof\tu4\n",
    "5, protocol": "P1 u1 M - - - AC1 bonafide bonafide -\nP2 u2 F - - - AC1 bonafide bonafide -\n"
    "P1 u3 M - - - AC2 A30 spoof -\nP2 u4 F - - - AC2 A31 spoof -\n",
}
FILES = {
    "two columns": "\ufeffu4.wav -3\r\nu1\t+2\r\nu2 -1e0\r\nu3 .5\r\n",
    "header": "filename\tcm-score\nu1\t2\nu2.flac\t-1\nu3\t0.5\nu4\t-3\n",
    "header, track 2": "filename\tcm-score\tasv-score\nu1\t2\t1\nu2.flac\t-1\t1\nu3\t0.5\t1\nu4\t-3\t1\n",
    "three columns": "u1.wav genuine 2\nu2 bonafide -1\nu3 spoof 0.5\nu4 spoof -3\n",
    "2019": "u1 - bonafide 2\nu2 - bonafide -1\nu3 AB spoof 0.5\nu4 BC spoof -3\n",
}


def file_of(tmp_path, content, name="file.txt"):
    (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize("form", KEYS)
def test_every_form_of_a_key(tmp_path, form):
    key = trial_files.read_key(file_of(tmp_path, KEYS[form]))
    assert key.labels == LABELS
    trials, values = trial_files.vector(dict(reversed(SCORES.items())), key, "scores", "key")
    assert values.tolist() == list(SCORES.values())
    assert trials.utts == tuple(LABELS) and trials.genuine.tolist() == [True, True, False, False]
    if form in ("2017", "2019", "2021", "5, protocol"):
        assert trials.speakers[0] == trials.speakers[2] != trials.speakers[1]
        assert trials.configurations[2] != trials.configurations[3]
    else:
        assert len(set(trials.speakers)) == 1 and set(trials.configurations) == {"-"}


@pytest.mark.parametrize("form", FILES)
def test_every_form_of_scores(tmp_path, form):
    scores, key = trial_files.read(file_of(tmp_path, FILES[form]))
    assert scores == SCORES
    assert (key is None) == (form in ("two columns", "header", "header, track 2"))
    assert key is None or key.labels == LABELS
    assert form != "2019" or list(key.conditions["attack"]) == ["-", "-", "AB", "BC"]


def test_a_track_of_2021_has_its_trials_and_ignores_scores_of_others(tmp_path):
    path = file_of(tmp_path, KEYS["2021"].replace("u4 R2", "h4 R2").replace("trim eval\nP1 u3", "trim hidden\nP1 u3"))
    assert list(trial_files.read_key(path, "progress").labels) == ["v3"]
    assert list(trial_files.read_key(path, "hidden").labels) == ["u2", "w4"]
    assert list(trial_files.read_key(path, "hidden2").labels) == ["u2", "w4"]
    with pytest.raises(UserError, match="no trial of hidden1"):
        trial_files.read_key(path, "hidden1")
    scores = {"u1": 1.0, "u3": 2.0, "h4": 3.0, "v3": 4.0, "w4": 5.0, "u2": 6.0}
    trials, values = trial_files.vector(scores, trial_files.read_key(path), "scores", "key")
    assert (trials.utts, values.tolist()) == (("u1", "u3", "h4"), [1.0, 2.0, 3.0])
    with pytest.raises(UserError, match="no label in key for odd"):
        trial_files.vector(scores | {"odd": 1.0}, trial_files.read_key(path), "scores", "key")


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (trial_files.read_key, "a genuine 1\n", "file.txt:1: 3 instead of 2 fields. A line is one of: `file key`; "),
        (trial_files.read_key, "a genuine\nb fake\n", "file.txt:2: unknown label 'fake'"),
        (trial_files.read_key, "a genuine\na.wav spoof\n", "file.txt:2: a is there already"),
        (trial_files.read, "a 1\nb nan\n", "file.txt:2: 'nan' is not a finite number"),
        (trial_files.read, "a.flac 1\na 2\n", "file.txt:2: a is there already"),
        (trial_files.read, "filename cm-score\na x\n", "file.txt:2: 'x' is not a finite number"),
        (trial_files.read, "a b c d e\n", "file.txt:1: 5 instead of 2 fields"),
        (trial_files.read, "", "file.txt: the file is empty"),
        (trial_files.read_asv, "- target 1\n- nontarget 2\n", "file.txt: no spoof score"),
        (trial_files.read_asv, "- bonafide 2\n", "file.txt: no scores of a speaker verifier. Name a text file"),
    ],
)
def test_a_malformed_file_is_refused_by_line(tmp_path, read, content, message):
    with pytest.raises(UserError) as error:
        read(file_of(tmp_path, content))
    assert message in str(error.value)


def test_scores_of_a_verifier(tmp_path):
    text = "- target 2.5\r\n\nAB spoof -1e-1\nLA_0001 nontarget -3\n- target 1\n"
    wanted = {"target": [2.5, 1.0], "nontarget": [-3.0], "spoof": [-0.1]}
    path = file_of(tmp_path, text, "ASVspoof2019.PA.asv.eval.gi.trl.scores.txt")
    for given in (path, tmp_path):
        found = trial_files.read_asv(given)
        assert {kind: values.tolist() for kind, values in found.items()} == wanted
    assert tdcf.verifier(**found).threshold == -3.0
    with pytest.raises(UserError, match=r"asv\.dev\.gi\.trl\.scores\.txt: no such file"):
        trial_files.read_asv(tmp_path, "dev")
    assert trial_files.read_verification(file_of(tmp_path, FILES["three columns"])) is None


def test_scores_of_a_verifier_are_joined_with_the_key_of_2021(tmp_path):
    rest = "R1 M1 D4 - - - -"
    kinds = [("P1", "target"), ("P2", "nontarget"), ("P3", "spoof"), ("P4", "target")]
    lines = [f"{s} u1 {rest} {kind} notrim {'progress' if s == 'P4' else 'eval'}\n" for s, kind in kinds]
    file_of(tmp_path, "".join(lines), "trial_metadata.txt")
    (tmp_path / "ASVTorch_Kaldi").mkdir()
    scores = file_of(tmp_path, "P4 u1 9\nP3 u1 3\nP1 u1 1\nP2 u1 2\n", "ASVTorch_Kaldi/score.txt")
    found = trial_files.read_asv(tmp_path)
    assert {kind: v.tolist() for kind, v in found.items()} == {"target": [1.0], "nontarget": [2.0], "spoof": [3.0]}
    scores.write_text("P4 u1 9\nP3 u1 3\nP1 u1 1\n")
    with pytest.raises(UserError, match=r"score\.txt: no score for u1 of P2"):
        trial_files.read_asv(tmp_path)
