"""Stages -1 and 2 in shards: the bytes of one run, in any order, interrupted or not."""

import argparse
import shutil
import sys
import threading
from pathlib import Path

import pytest

import errors
import extract
import locks
import record
import score
import shards
from shards import Shard

sys.path.insert(0, str(Path(__file__).parent))
from trained_corpus import SETTINGS, folders, trained  # noqa: E402


@pytest.fixture
def corpus(tmp_path, tmp_path_factory, golden):
    """A folder with the data of `trained` at its own place, and what extract and score have written there in one go."""
    folder = trained(tmp_path_factory.getbasetemp(), golden)
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    yield folder
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)


def run(monkeypatch, main, folder, *arguments):
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    common = ["--corpus", folder / "mine.yaml", *folders(folder), "--system", "lcnn", *settings]
    monkeypatch.setattr(sys, "argv", [main.__module__, *map(str, common), *arguments])
    main()


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def features(folder):
    return folder / "data" / "mine" / "dev" / "spectrogram"


@pytest.mark.parametrize("order", ["1/3 2/3 3/3", "3/3 1/3 2/3", "1/7 2/7 3/7 4/7 5/7 6/7 7/7"])
def test_shards_of_features_are_the_bytes_of_one_run(corpus, monkeypatch, capsys, order):
    before = contents(corpus / "data")
    for subset in ("train", "dev", "eval"):
        shutil.rmtree(corpus / "data" / "mine" / subset / "spectrogram")
    *firsts, last = order.split()
    for text in firsts:
        run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", text)
        assert not (features(corpus) / record.NAME).exists()
        assert not (features(corpus) / "feats.ark").exists()
    run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", last)
    assert contents(corpus / "data") == before
    assert f"4 utterances of {len(firsts) + 1} shards" in capsys.readouterr().out


def test_shards_of_scores_are_the_bytes_of_one_run(corpus, monkeypatch):
    exp = corpus / "exp" / "mine" / "lcnn"
    before = contents(corpus / "exp")
    for path in (exp / "scores", exp / "seed1" / "scores", exp / "seed2" / "scores"):
        shutil.rmtree(path)
    for text in ("2/5", "5/5", "1/5", "3/5"):
        run(monkeypatch, score.main, corpus, "--seeds", "1-2", "--shard", text)
        assert not (exp / "seed1" / "scores" / "dev.txt").exists()
        assert not (exp / "scores").exists()
    run(monkeypatch, score.main, corpus, "--seeds", "1-2", "--shard", "4/5")
    assert contents(corpus / "exp") == before


def test_a_run_without_shard_puts_together_what_stands(corpus, monkeypatch):
    """As where the last two shards ended at once and neither has seen the other."""
    before = contents(corpus / "data")
    shutil.rmtree(features(corpus))
    monkeypatch.setattr(extract.shards, "merge", lambda *_: False)
    for text in ("1/2", "2/2"):
        run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", text)
    assert not (features(corpus) / "feats.ark").exists()
    monkeypatch.undo()
    monkeypatch.setattr(extract.native, "write", None)  # nothing is extracted again
    run(monkeypatch, extract.main, corpus, "--nj", "1")
    assert contents(corpus / "data") == before


def test_a_run_without_shard_does_what_is_missing_and_leaves_no_shards(corpus, monkeypatch):
    before = contents(corpus / "data")
    shutil.rmtree(features(corpus))
    run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", "1/2")
    run(monkeypatch, extract.main, corpus, "--nj", "1")
    assert contents(corpus / "data") == before


def test_a_shard_that_stands_is_not_done_again_and_one_of_other_settings_is(corpus, monkeypatch, capsys):
    shutil.rmtree(features(corpus))
    run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", "1/2")
    run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", "1/2")
    assert "1of2 stands; other shards are missing" in capsys.readouterr().out
    run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", "2/2", "--set", "features.cmn_window=200")
    assert not (features(corpus) / "feats.ark").exists()  # one of each
    run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", "1/2", "--set", "features.cmn_window=200")
    assert "4 utterances of 2 shards" in capsys.readouterr().out


def test_a_shard_that_dies_leaves_nothing_under_a_final_name(corpus, monkeypatch):
    before = contents(corpus / "data")
    shutil.rmtree(features(corpus))
    real = extract.native.features_of

    calls = []

    def dying(front_end, recording):
        calls.append(recording)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return real(front_end, recording)

    monkeypatch.setattr(extract.native, "features_of", dying)
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", "1/2")
    assert contents(features(corpus)) == {}
    monkeypatch.setattr(extract.native, "features_of", real)
    for text in ("2/2", "1/2"):
        run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", text)
    assert contents(corpus / "data") == before


def test_two_runs_of_one_shard_exclude_each_other_and_of_two_shards_do_not(corpus, monkeypatch):
    shutil.rmtree(features(corpus))
    features(corpus).mkdir()
    with locks.hold(features(corpus) / "1of2"):
        with pytest.raises(errors.UserError, match="1of2.*is at work here"):
            run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", "1/2")
        run(monkeypatch, extract.main, corpus, "--nj", "1", "--shard", "2/2")
    assert (features(corpus) / "2of2" / record.NAME).is_file()


def made(directory, made_from, text, of=2):
    for number in range(1, of + 1):
        one = Shard(number, of)
        record.write(one.folder(directory), one.record(made_from))
        (one.folder(directory) / "file").write_text(f"{text}{number}")


def test_shards_that_end_at_once_are_put_together_once(tmp_path):
    directory, made_from, joins = tmp_path / "whole", {"a": 1}, []
    made(directory, made_from, "x")

    def join(parts):
        joins.append([(part / "file").read_text() for part in parts])

    threads = [threading.Thread(target=shards.merge, args=(directory, made_from, join)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert joins == [["x1", "x2"]]
    assert [path.name for path in directory.iterdir()] == [record.NAME]
    assert shards.merge(directory, made_from, join)
    assert not shards.merge(directory, {"a": 2}, join)


def test_shards_made_by_other_settings_or_of_another_count_do_not_count(tmp_path):
    made(tmp_path, {"a": 1}, "x", of=3)
    assert [path.name for path in shards.standing(tmp_path, {"a": 1})] == ["1of3", "2of3", "3of3"]
    assert not shards.standing(tmp_path, {"a": 2})
    record.remove(tmp_path / "2of3")
    record.write(tmp_path / "2of2", Shard(2, 2).record({"a": 1}))
    assert not shards.standing(tmp_path, {"a": 1})


def test_what_is_at_work_is_not_cleared(tmp_path):
    made(tmp_path, {"a": 1}, "x", of=3)
    (tmp_path / "proof").mkdir()
    with locks.hold(tmp_path / "2of3"):
        shards.clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2of3", "proof"]


@pytest.mark.parametrize("count", [0, 1, 5, 64, 1000])
@pytest.mark.parametrize("step", [1, 32])
def test_parts_are_contiguous_whole_and_begin_at_a_step(count, step):
    items = list(range(count))
    for of in (1, 2, 7, 100):
        parts = [Shard(number, of).part(items, step) for number in range(1, of + 1)]
        assert [item for part in parts for item in part] == items
        assert all(part[0] % step == 0 for part in parts if part)
        assert max(map(len, parts)) <= -(-count // of) + step


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/0", "a/b", "1/10000", "-1/4", "1/4 "])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be I/N"):
        shards.parse(text)
    assert shards.parse("2/4") == Shard(2, 4)
