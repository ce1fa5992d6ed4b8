"""One's own recordings get the scores that stage 2 gives them, and a decision."""

import csv
import io
import json
import math
import os
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

import afn
import trained_corpus
from afn.common import config, record
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import provenance, recording_scorer, recordings, score_recordings
from afn.features import front_end
from afn.features.archives import FeatureArchive
from afn.metrics import calibration, eer, score_files
from afn.systems import checkpoints, registry
from afn.systems.subset import Subset
from trained_corpus import FRAMES, LABELS, folders, record_training

SHORT = [utt for utt in LABELS if utt != "g01_male_us"]  # no longer than the networks' input


@pytest.fixture(scope="module")
def tree(tmp_path_factory, golden):
    return trained_corpus.trained(tmp_path_factory.getbasetemp(), golden)


@pytest.fixture
def run(tree, monkeypatch, capsys):
    """Runs `./run.sh score` within this process: exit code, stdout, stderr."""

    def call(*arguments):
        command = ["score_recordings.py", "--system", "lcnn", *folders(tree), *arguments]
        monkeypatch.setattr(sys, "argv", list(map(str, command)))
        capsys.readouterr()
        code = 0
        try:
            score_recordings.main()
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def table(run, *arguments):
    """The scores by utterance id, from --json."""
    code, out, _ = run("--json", *arguments)
    assert code == 0
    return {Path(r["file"]).stem: r["score"] for r in json.loads(out)["recordings"]}


def scores_of(tree, *parts):
    return score_files.read(tree.joinpath("exp", "mine", "lcnn", *parts, "scores", "dev.txt"))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_recording_gets_the_score_of_stage_2(run, tree, golden, seed, tmp_path):
    other = shutil.copy(golden / "g03_short030.wav", tmp_path / "other.wav")
    found = table(run, "--seed", seed, *(golden / f"{utt}.wav" for utt in SHORT), other)
    theirs = scores_of(tree, f"seed{seed}")
    assert found.pop("other") != theirs["g03_short030"]  # the file name is the id that seeds the dither
    assert found == {utt: theirs[utt] for utt in SHORT}  # to the last bit
    assert len(set(found.values())) == len(SHORT)


def test_several_seeds_score_as_stage_2_averages_them_calibrated_on_dev(run, tree, golden):
    code, out, _ = run("--json", "--prior", "0.2", "--cost-miss", "3", *(golden / f"{utt}.wav" for utt in SHORT))
    assert code == 0
    content = json.loads(out)
    theirs = scores_of(tree)
    assert {Path(r["file"]).stem: r["score"] for r in content["recordings"]} == {utt: theirs[utt] for utt in SHORT}
    genuine, spoof = score_files.join(theirs, LABELS)
    assert content["dev_eer"] == eer.official_eer(genuine, spoof)
    assert content["seeds"] == [1, 2]
    scores = np.concatenate([genuine, spoof])
    model = calibration.train(scores, np.arange(len(scores)) < len(genuine), "lcnn", logits=True)
    for found in content["recordings"]:
        assert found["llr"] == pytest.approx(model.llrs(np.array([[found["score"]]]))[0])
        assert found["p_replay"] == pytest.approx(1 / (1 + 4 * math.exp(found["llr"])))
        genuine = found["llr"] >= math.log(0.2 / (3 * 0.8))
        assert found["decision"] == ("genuine" if genuine else "replayed")
        assert genuine == (found["score"] > found["threshold"])
    assert "sigmoid (0 to 1) of the network's logit, averaged over the seeds" in content["meaning"]


def test_a_long_recording_is_scored_over_windows(run, tree, golden, tmp_path):
    command = ("--json", "--seed", 1, "--heatmap", tmp_path, golden / "g01_male_us.wav")
    (recording,) = json.loads(run(*command)[1])["recordings"]
    matrix = FeatureArchive(tree / "data" / "mine" / "dev" / "spectrogram" / "feats.scp", ROOT)["g01_male_us"]
    assert len(matrix) == 330
    parts = {"a": matrix[:FRAMES], "b": matrix[-FRAMES:]}
    directory = tree / "exp" / "mine" / "lcnn" / "seed1"
    system = registry.build(provenance.read(directory).settings, 1)
    system.load(directory)
    one_by_one = system.score(Subset("windows", dict.fromkeys(parts, "genuine"), parts))
    first, last = one_by_one.values()
    assert recording["score"] == (first + last) / 2
    assert first == scores_of(tree, "seed1")["g01_male_us"]  # the paper's rule: the first frames
    assert recording["seconds"] == pytest.approx([first, (first + last) / 2, (first + last) / 2, last])
    assert recording["suspicious_score"] == min(first, last)
    assert recording["suspicious_start"] == pytest.approx(0 if first < last else 0.8)
    assert recording["duration"] == pytest.approx(3.3, abs=0.02)
    assert Path(recording["heatmap"]).read_bytes().startswith(b"\x89PNG")  # without attention: scores over time
    assert "most suspicious of 2 windows: 0:0" in run(*command[1:])[1]


def test_windows_of_a_long_recording_score_alike_in_threads(tree, golden, monkeypatch):
    scorer = afn.load(tree / "exp" / "mine" / "lcnn" / "seed1")
    alone = scorer.answer(golden / "g01_male_us.wav")
    monkeypatch.setattr(recording_scorer, "LONG", 1.0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert scorer.answer(golden / "g01_male_us.wav")["seconds"] == pytest.approx(alone["seconds"], abs=1e-4)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_windows_overlap_by_half_and_the_last_ends_with_the_recording():
    for count, starts in {1: [0], 10: [0], 11: [0, 1], 15: [0, 5], 16: [0, 5, 6], 27: [0, 5, 10, 15, 17]}.items():
        assert recordings.starts(count, 10) == starts
        stretches = iter(np.array_split(np.arange(count)[:, None], [3, 4, 13]))
        found = recordings.cut(stretches, starts, 10)
        assert [(int(w[0, 0]), len(w)) for w in found] == [(start, min(count, 10)) for start in starts]


def test_a_system_for_any_length_takes_a_recording_whole_and_sections_of_a_long_one(golden):
    of = config.load(registry.settings_type(), ROOT / "conf" / "systems" / "lfcc_gmm.yaml")
    extract = front_end.from_description(front_end.describe(of.features))
    scorer = recording_scorer.Scorer(None, None, {1: registry.build(of, 1)}, extract)
    recording = scorer.prepare(golden / "g01_male_us.wav")
    (window,) = scorer.windows(recording)
    assert len(window.features) > 300 and (window.start, window.end) == (0, recording.duration)
    recording.samples = np.tile(recording.samples, 10)
    found = list(scorer.windows(recording))
    assert [window.start for window in found[:3]] == [0, 2, 4] and found[-1].end == recording.duration
    alone = extract(recording.utt, recording.samples[2 * 16000 : 6 * 16000])
    np.testing.assert_array_equal(found[1].features, alone)


def test_a_line_a_recording_and_one_that_says_what_the_score_is(run, tree, golden):
    path = golden / "g03_short030.wav"
    code, out, _ = run("--seed", 1, "--threshold", "-1000", path)
    lines = out.splitlines()
    start = f"{path}: score {scores_of(tree, 'seed1')['g03_short030']:+.4f}, llr "
    assert code == 0 and lines[0].startswith(start) and lines[0].endswith(": genuine") and "p_replay" in lines[0]
    assert len(lines) == 2 and "LCNN" in lines[1] and "higher = more genuine" in lines[1] and "logit" in lines[1]
    assert "replayed" in run("--seed", 1, "--threshold", "1000", path)[1].splitlines()[0]
    for option, value in (("--prior", 1), ("--cost-miss", 0), ("--cost-false-alarm", "inf")):
        with pytest.raises(UserError, match="must be"):
            run(option, value, path)


def test_a_recording_unlike_the_training_data_gets_a_warning(run, golden, tmp_path):
    samples, rate = soundfile.read(golden / "g01_male_us.wav", dtype="int16")
    soundfile.write(tmp_path / "quiet.wav", np.tile(samples[: rate * 2] // 2000, 2), rate)
    _, out, err = run(tmp_path / "quiet.wav")
    (line,) = [line for line in err.splitlines() if line.startswith("warning: ") and "unlike the training" in line]
    assert "duration 4 s (98 % of them: " in line and "level -92" in line and "almost silent" in err
    rows = csv.DictReader(io.StringIO(run("--csv", tmp_path / "quiet.wav")[1]))
    assert "unlike the training data: duration 4 s" in next(rows)["warnings"]


def test_a_folder_is_searched_and_one_bad_file_does_not_stop_the_others(run, golden, tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    names = ["b/c/z.wav", "b/a $(x) 'y\".WAV", "a.flac"]
    samples, rate = soundfile.read(golden / "g03_short030.wav", dtype="int16")
    for name in names:
        soundfile.write(tmp_path / name, samples, rate, format="FLAC" if name.endswith("flac") else "WAV")
    for name in ("b/bad.wav", "b/._z.wav", "b/notes.txt"):
        (tmp_path / name).write_text("no recording")
    code, out, err = run("--csv", "--seed", 1, tmp_path, tmp_path / "empty", tmp_path / "gone.wav")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["file"] for row in rows] == [str(tmp_path / name) for name in sorted(names)]
    assert all(float(row["score"]) and row["decision"] in ("genuine", "replayed") for row in rows)
    errors = [line for line in err.splitlines() if "error:" in line]
    assert [line.split(": ")[2] for line in errors] == [str(tmp_path / n) for n in ("b/bad.wav", "empty", "gone.wav")]
    assert "holds no recordings" in errors[1] and "no such recording" in errors[2]
    assert code == 2 and "Traceback" not in err
    with pytest.raises(UserError, match="an empty name, perhaps of a variable that is not set"):
        run("")  # not the current folder


def test_other_rates_and_channels_and_what_is_not_drawn_are_told(run, tmp_path):
    noise = 0.1 * np.random.default_rng(0).normal(size=(44100, 2))
    soundfile.write(tmp_path / "stereo.wav", noise, 44100, subtype="PCM_16")
    code, _, err = run(tmp_path / "stereo.wav")
    assert code == 2 and err.count("\n") == 1
    assert "has 2 channels. Choose one, 1 for the first: --channel N" in err
    code, _, err = run("--channel", "2", "--heatmap", tmp_path / "maps", tmp_path / "stereo.wav")
    assert code == 0 and "channel 2 of 2" in err and "44100 Hz resampled to 16000 Hz" in err
    assert "LCNN has no attention to draw" in err and not (tmp_path / "maps").exists()


def test_what_cannot_be_scored_or_drawn_is_one_line_and_the_others_are_scored(
    run, golden, tmp_path, monkeypatch, attentive
):
    for name in ("a.wav", "c.wav", "x" * 251 + ".wav"):
        shutil.copy(golden / "g03_short030.wav", tmp_path / name)
    soundfile.write(tmp_path / "b.wav", np.zeros(8000), 16000)
    walk, score_all = os.walk, recording_scorer.Scorer.score_all

    def unsearchable(top, onerror):  # root may read any folder
        yield from walk(top, onerror=onerror)
        onerror(PermissionError(13, "Permission denied", str(tmp_path / "locked")))

    def fail(scorer, group):
        if any(recording.path.name == "c.wav" for recording in group):
            raise MemoryError
        score_all(scorer, group)

    monkeypatch.setattr(os, "walk", unsearchable)
    monkeypatch.setattr(recording_scorer.Scorer, "score_all", fail)
    (tmp_path / "maps" / "a.png").mkdir(parents=True)
    arguments = ("--experiment", attentive, "--threshold", 0, "--heatmap", tmp_path / "maps", "--json", tmp_path)
    code, out, err = run(*arguments)
    found = json.loads(out)
    assert code == 2 and [Path(r["file"]).name for r in found["recordings"]] == ["a.wav", "x" * 251 + ".wav"]
    assert found["recordings"][0]["heatmap"] is None and "no heatmap" in found["recordings"][0]["notes"][-1]
    assert Path(found["recordings"][1]["heatmap"]).read_bytes().startswith(b"\x89PNG")
    reasons = ["b.wav: digital silence", "locked: Permission denied", "c.wav: out of memory"]
    lines = [line for line in err.splitlines() if "error:" in line]
    assert len(lines) == len(reasons) and all(map(str.__contains__, lines, reasons)), lines
    state = torch.load(attentive / "best.pt", weights_only=True)
    state["model"]["classifier.head.2.bias"].fill_(torch.nan)
    checkpoints.save(attentive / "best.pt", state)
    code, out, err = run("--experiment", attentive, "--threshold", 0, golden / "g03_short030.wav")
    assert code == 2 and "its score is nan" in err and len(out.splitlines()) == 1


@pytest.fixture
def attentive(tmp_path):
    """An experiment of an attentive network with its initial weights."""
    directory = tmp_path / "exp" / "mine" / "afn" / "seed3"
    row = record_training(directory, "afn", "model.channels=2", "model.frames=904")
    checkpoints.save(directory / "best.pt", {"model": registry.build(row, 3).model.state_dict()})
    return directory


@pytest.mark.slow
def test_heatmaps_are_drawn_and_none_replaces_another(run, golden, tmp_path, attentive):
    (tmp_path / "x").mkdir()
    shutil.copy(golden / "g03_short030.wav", tmp_path / "x")
    files = [golden / "g03_short030.wav", tmp_path / "x"]
    code, out, err = run("--json", "--experiment", attentive, "--threshold", 0, "--heatmap", tmp_path / "maps", *files)
    assert code == 0 and "no attention" not in err
    drawn = [recording["heatmap"] for recording in json.loads(out)["recordings"]]
    assert drawn == [str(tmp_path / "maps" / name) for name in ("g03_short030.png", "g03_short030-2.png")]
    assert all(Path(name).read_bytes().startswith(b"\x89PNG") for name in drawn)


@contextmanager
def hidden(folder):
    """Within the block the folder does not exist."""
    folder.rename(folder.with_name("hidden"))
    try:
        yield
    finally:
        folder.with_name("hidden").rename(folder)


@pytest.mark.parametrize("seeds", [["--seed", "1"], []], ids=["one seed", "the average"])
def test_features_and_threshold_are_those_of_the_training_without_conf_and_data(
    run, tree, golden, seeds, monkeypatch, tmp_path
):
    command = ["--json", *seeds, golden / "g03_short030.wav"]
    expected = run(*command)
    monkeypatch.setattr("afn.features.front_end.CONF", tmp_path)  # conf/ has changed since
    with hidden(tree / "data"):
        assert run(*command) == expected
    content, theirs = json.loads(expected[1]), scores_of(tree, *(["seed1"] if seeds else []))
    assert content["recordings"][0]["score"] == theirs["g03_short030"]


def test_what_dev_says_of_a_system_is_remarked_or_asked_for(run, tree, golden):
    path = tree / "exp" / "mine" / "lcnn" / "seed1" / "scores" / record.NAME
    content, command = path.read_text(), ("--seed", 1, golden / "g03_short030.wav")
    expected = run(*command)
    try:
        for error_rate, remark in ((0.75, True), (0.05, False)):
            path.write_text(re.sub(r"(?m)^  eer: .*", f"  eer: {error_rate}", content))
            found = run(*command)[1]
            assert f"{100 * error_rate:.2f} %" in found and ("guessing" in found) == remark
        path.write_text(re.sub(r"(?m)^  calibration:\n(    .*\n)+", "", content))
        assert run(*command) == expected  # calibrated by the labels
        with hidden(tree / "data"):
            assert "threshold of the EER on dev, for it is not calibrated" in run(*command)[1]
            path.write_text(content[: content.index("dev:\n  threshold")])
            with pytest.raises(UserError, match="no labels of dev .*give --threshold"):
                run(*command)
    finally:
        path.write_text(content)


def test_a_notebook_gets_the_scores_of_run_sh(run, tree, golden, tmp_path):
    files = {utt: golden / f"{utt}.wav" for utt in LABELS}
    for folder, arguments in (("lcnn", []), ("lcnn/seed2", ["--seed", 2])):
        experiment = afn.load(tree / "exp" / "mine" / folder)
        found = {utt: experiment.score(str(path)) for utt, path in files.items()}
        assert found == table(run, *arguments, *files.values())
    short = soundfile.read(golden / "g03_short030.wav")[0]
    soundfile.write(tmp_path / "g03_short030.flac", np.stack([short, -short], 1)[:, ::-1], 16000)
    stereo = afn.load(tree / "exp" / "mine" / "lcnn", channel=2).score(tmp_path / "g03_short030.flac")
    assert stereo == afn.load(tree / "exp" / "mine" / "lcnn").score(golden / "g03_short030.wav")
    with pytest.raises(UserError, match="LCNN: has no attention mask"):
        experiment.attend(files["g01_male_us"])
    with pytest.raises(UserError, match="gone.wav: no such recording"):
        experiment.score("gone.wav")


def test_a_notebook_gets_what_the_attention_does(attentive, golden):
    (attentive.parent / "scores").mkdir()
    record.write(attentive / "scores", {"identity": {}, "dev": {"threshold": 0.0, "eer": 0.5}})
    experiment = afn.load(attentive)
    found = experiment.attend(golden / "g03_short030.wav")
    length = len(next(experiment.windows(experiment.prepare(golden / "g03_short030.wav"))).features)
    assert found.spectrogram.shape == found.mask.shape == found.filtered.shape == (257, length)
    assert length < 904  # without the repetitions
    assert 0 < found.mask.min() < found.mask.max() < 1
    np.testing.assert_allclose(found.filtered, (1 + found.mask) * found.spectrogram, rtol=1e-5, atol=1e-5)
    assert found.score == pytest.approx(experiment.score(golden / "g03_short030.wav"), abs=1e-4)


KALDI = """
config, rspecifier, wspecifier = sys.argv[1:]
assert "--window-type=hamming" in Path(config.removeprefix("--config=")).read_text()
utt, wav = Path(rspecifier[4:]).read_text().split()
samples = (Path(wav).stat().st_size - 44) // 2
rows, columns = (n.to_bytes(4, "little") for n in (3, 257))
import struct
matrix = struct.pack("<771f", *range(samples, samples + 771))
sys.stdout.buffer.write(utt.encode() + b" \\0BFM \\4" + rows + b"\\4" + columns + matrix)
"""


DESCRIPTION = {
    "kind": "spectrogram",
    "name": "s",
    "conf": "gone.conf",
    "backend": "kaldi",
    "cmn_window": 300,
    "norm_vars": False,
    "options": ["--sample-frequency=8000  # Hz", "--window-type=hamming", "--dither=0"],
}


def test_kaldis_features_are_extracted_by_kaldi_where_it_is(kaldi_installed, kaldi_program, capsys):
    kaldi_program(kaldi_installed, "compute-spectrogram-feats", KALDI)
    trained = SimpleNamespace(first=SimpleNamespace(features=DESCRIPTION))
    extract = recording_scorer.extractor(trained)
    assert extract.sample_rate == 8000
    matrix = extract("any name | at all", np.zeros(500, dtype=np.int16))
    np.testing.assert_array_equal(matrix, np.arange(500, 1271, dtype=np.float32).reshape(3, 257))
    (kaldi_installed / "copy-feats").unlink()
    own = recording_scorer.extractor(trained)
    assert "our extractor takes its place" in capsys.readouterr().err
    assert (own.options.window_type, own.options.dither, own.sample_rate) == ("hamming", 0, 8000)
