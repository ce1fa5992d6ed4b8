"""Stage -2: what it refuses to touch, when it works again, and what it leaves as it is."""

import shutil
import sys

import pytest
import soundfile

import miniature_corpora
import prepare
from afn.common import config, owned, paths
from afn.common.errors import UserError
from afn.corpora import datadir
from afn.features import nuisance
from made_up_recordings import make

TABLES = ("wav.scp", "utt2spk", "spk2utt", "utt2label", "utt2cond", "utt2hash", nuisance.FILE)


class Corpus:
    """A corpus of one's own and its data/; `run` calls stage -2 and returns what it said."""

    def __init__(self, root, capsys, monkeypatch):
        self.root, self.capsys, self.monkeypatch = root, capsys, monkeypatch
        self.yaml, self.data = make(root), root / "data"

    def run(self, *options, data=None):
        folders = ["--data", data or self.data, "--exp", self.root / "exp"]
        arguments = ["prepare.py", "--corpus", self.yaml, *folders, "--nj", "1", *options]
        self.monkeypatch.setattr(sys, "argv", [str(argument) for argument in arguments])
        prepare.main()
        return self.capsys.readouterr().out

    def edit(self, old, new):
        self.yaml.write_text(self.yaml.read_text().replace(old, new))

    def tables(self, data=None, but=()):
        found = ((data or self.data) / "noise").glob("*/*")
        return {path.parent.name + "/" + path.name: path.read_bytes() for path in found if path.name not in but}


@pytest.fixture
def corpus(tmp_path, capsys, monkeypatch):
    return Corpus(tmp_path, capsys, monkeypatch)


def everything(folder):
    return {path: path.is_dir() or path.read_bytes() for path in folder.rglob("*")}


def test_folders_and_records_of_others_are_not_touched(corpus):
    for place in ("config.yaml", "eval/recording.wav"):
        mine = corpus.data / "noise" / place
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_text("mine: true\n")
        before = everything(corpus.root)
        with pytest.raises(UserError, match=rf"{mine.parent}: contains {mine.name}, which this project did not make"):
            corpus.run()
        assert everything(corpus.root) == before
        if place == "config.yaml":
            mine.unlink()
    corpus.edit(corpus.yaml.read_text().splitlines(keepends=True)[-1], "")  # the corpus has no eval
    corpus.run()
    assert mine.read_text() == "mine: true\n"


@pytest.mark.parametrize(("place", "how"), [("train", "is"), ("train/lists", "lies in"), ("", "contains")])
def test_an_input_must_be_apart_from_every_output(corpus, place, how):
    directory = corpus.data / "noise" / place
    directory.mkdir(parents=True)
    for table in ("wav.scp", "utt2label"):
        shutil.copy(corpus.root / "lists" / "train" / table, directory)
    link = corpus.root / "link"
    link.symlink_to(directory)
    corpus.edit(f"{corpus.root}/lists/train", str(link))
    before = everything(corpus.root)
    with pytest.raises(UserError, match=rf"corpus\.train: \S+/link {how} \S+/noise/train, which stage -2 writes"):
        corpus.run()
    assert everything(corpus.root) == before


def test_pipes_are_not_run_into_a_folder_of_others(corpus):
    wav = corpus.root / "lists" / "train" / "wav.scp"
    wav.write_text("".join(f"{u} cat {path} |\n" for u, path in map(str.split, wav.read_text().splitlines())))
    (corpus.data / "noise" / "piped").mkdir(parents=True)
    (corpus.data / "noise" / "piped" / "mine.wav").write_text("")
    with pytest.raises(UserError, match=r"noise/piped: contains mine\.wav"):
        corpus.run("--allow-pipes")
    (corpus.data / "noise" / "piped" / "mine.wav").unlink()
    corpus.run("--allow-pipes")
    assert (corpus.data / "noise" / "piped" / "train" / "train_000.wav").is_file()
    assert "cat" in wav.read_text()
    assert "is up to date" in corpus.run("--allow-pipes")


def test_of_a_subset_that_leaves_the_corpus_only_what_was_made_goes(corpus):
    corpus.run()
    directory = corpus.data / "noise" / "eval"
    owned.claim(directory / "spectrogram")
    (directory / "spectrogram" / "feats.ark").write_text("")
    (directory / "README").write_text("my own remark")
    eval_line = corpus.yaml.read_text().splitlines(keepends=True)[-1]
    corpus.edit(eval_line, "")
    assert "noise/eval: not in the corpus any more; left, as not made by this project: README" in corpus.run()
    assert sorted(path.name for path in directory.iterdir()) == [owned.MARKER, "README"]
    assert "is up to date" in corpus.run()
    (directory / "README").unlink()
    corpus.run("--force")
    assert not directory.exists()
    corpus.yaml.write_text(corpus.yaml.read_text() + eval_line)
    corpus.run()
    assert set(TABLES) < {path.name for path in directory.iterdir()}


def test_a_second_run_finds_everything_up_to_date_or_writes_what_is_lost(corpus):
    corpus.run()
    before, tables = everything(corpus.data), corpus.tables()
    corpus.edit(f"{corpus.root}/lists/dev", f"{corpus.root}/wav/../lists/dev/")  # another spelling of a folder
    assert "is up to date" in corpus.run()
    assert everything(corpus.data) == before
    for lost in ("utt2hash", "wav.scp", "utt2spk", nuisance.FILE):
        (corpus.data / "noise" / "dev" / lost).unlink()
        corpus.run()
        assert corpus.tables() == tables
    shutil.rmtree(corpus.data / "noise" / "dev")
    corpus.run()
    assert corpus.tables() == tables
    corpus.data.rename(corpus.root / "elsewhere")
    corpus.run(data=corpus.root / "elsewhere")
    assert corpus.tables(corpus.root / "elsewhere") == tables


def test_the_nuisances_are_those_of_the_samples_and_of_the_users_file(corpus):
    original = corpus.root / "wav" / "eval_000.wav"
    samples = soundfile.read(original, dtype="int16")[0]
    soundfile.write(original, samples / 2**15, 16000, subtype="FLOAT")
    corpus.run("--nj", "2")
    utts, values = nuisance.read(corpus.data / "noise" / "eval" / nuisance.FILE)
    assert utts == sorted(datadir.hashes(corpus.data / "noise" / "eval"))
    expected = nuisance.measure(samples, 16000) | {nuisance.OF_FILE: original.stat().st_size * 16000 / len(samples)}
    assert dict(zip(nuisance.NUISANCES, values[0], strict=True)) == pytest.approx(expected, rel=1e-5)


def test_a_replaced_recording_is_noticed(corpus):
    corpus.run()
    before = datadir.recordings_hash(corpus.data / "noise" / "eval")
    measured = (corpus.data / "noise" / "eval" / nuisance.FILE).read_bytes()
    shutil.copy(corpus.root / "wav" / "train_001.wav", corpus.root / "wav" / "eval_000.wav")
    said = corpus.run()
    assert "eval: recordings are replaced or gone (eval_000); preparing the corpus again" in said
    assert "warning: 1 recordings of eval also occur in train (train_001 = eval_000)" in said
    assert datadir.recordings_hash(corpus.data / "noise" / "eval") != before
    assert (corpus.data / "noise" / "eval" / nuisance.FILE).read_bytes() != measured
    assert "is up to date" in corpus.run()
    (corpus.root / "wav" / "eval_000.wav").unlink()
    with pytest.raises(UserError, match=r"eval_000\.wav: no such recording"):
        corpus.run()


def test_recordings_of_another_date_change_utt2hash_alone(corpus):
    corpus.run()
    before, record = corpus.tables(but="utt2hash"), (corpus.data / "noise" / "config.yaml").read_bytes()
    times = corpus.tables()["dev/utt2hash"]
    for path in (corpus.root / "wav").iterdir():
        path.touch()
    assert "is up to date" in corpus.run()
    assert corpus.tables(but="utt2hash") == before
    assert corpus.tables()["dev/utt2hash"] != times
    assert (corpus.data / "noise" / "config.yaml").read_bytes() == record


def test_a_copied_corpus_changes_the_paths_alone(corpus):
    corpus.run()
    before, identity = corpus.tables(but=("wav.scp", "utt2hash")), config.read(corpus.data / "noise" / "config.yaml")
    hashes = [datadir.recordings_hash(corpus.data / "noise" / subset) for subset in ("train", "dev", "eval")]
    for folder in ("lists", "wav"):
        shutil.copytree(corpus.root / folder, corpus.root / "copy" / folder)
    for path in (corpus.root / "copy" / "lists").glob("*/wav.scp"):
        path.write_text(path.read_text().replace(f"{corpus.root}/wav", f"{corpus.root}/copy/wav"))
    corpus.edit(f"{corpus.root}/lists", f"{corpus.root}/copy/lists")
    corpus.run()
    assert f"{corpus.root}/copy/wav" in (corpus.data / "noise" / "dev" / "wav.scp").read_text()
    assert corpus.tables(but=("wav.scp", "utt2hash")) == before
    assert [datadir.recordings_hash(corpus.data / "noise" / subset) for subset in ("train", "dev", "eval")] == hashes
    assert identity["places"] != config.read(corpus.data / "noise" / "config.yaml")["places"]


def test_the_original_of_a_converted_recording_is_what_counts(corpus):
    original = corpus.root / "wav" / "eval_000.wav"
    samples = soundfile.read(original, dtype="int16")[0]
    soundfile.write(original, samples / 2**15, 16000, subtype="FLOAT")
    corpus.run()
    copy = corpus.data / "noise" / "audio" / "eval" / "eval_000.wav"
    assert (corpus.data / "noise" / "eval" / "wav.scp").read_text().startswith(f"eval_000 {copy}\n")
    assert (corpus.data / "noise" / "eval" / "utt2source").read_text() == f"eval_000 {original}\n"
    assert (soundfile.read(copy, dtype="int16")[0] == samples).all()
    assert "is up to date" in corpus.run()
    copy.unlink()
    assert "replaced or gone (eval_000)" in corpus.run() and copy.exists()
    soundfile.write(original, samples[:-1] / 2**15, 16000, subtype="FLOAT")
    assert "replaced or gone (eval_000)" in corpus.run()
    assert (soundfile.read(copy, dtype="int16")[0] == samples[:-1]).all()
    soundfile.write(original, samples, 16000)
    corpus.run()
    assert not (corpus.data / "noise" / "eval" / "utt2source").exists()


@pytest.mark.parametrize("kind", ["asvspoof2019_pa", "asvspoof2021_pa", "remasc", "digits"])
def test_published_corpora_in_miniature_are_prepared(corpus, kind):
    corpus.yaml = getattr(miniature_corpora, kind)(corpus.root / "corpus")
    said = corpus.run()
    for subset in ("train", "dev", "eval") if kind != "asvspoof2021_pa" else ("eval",):
        folder = corpus.data / kind / subset
        listed = datadir.read(folder)
        assert f"wrote {folder}: {len(listed) // 2} genuine + {len(listed) // 2} spoof" in said
        assert (folder / "utt2source").exists() == (kind in ("remasc", "digits"))
        assert all(soundfile.info(paths.located(u.wav)).samplerate == 16000 for u in listed)
        assert listed[0].conditions
    assert "is up to date" in corpus.run()
