"""Recordings of a corpus: which stay as they are, and the copies of the others."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from afn.common.errors import UserError
from afn.corpora import datadir, recordings
from afn.corpora.datadir import Content, Utterance
from afn.features import audio

NOISE = 0.1 * np.random.default_rng(0).normal(size=(16000, 2))


class Corpus:
    """Recordings in a folder, and what stage -2 makes of them; `converted` are those it has decoded."""

    def __init__(self, root: Path):
        self.root, self.said, self.copies = root, [], root / "data" / "audio"
        self.listed: list[Utterance] = []
        self.converted: list[str] = []
        self.stop_after: int | None = None

    def add(self, utt, samples=NOISE[:, 0], rate=16000, name=None, **options):
        part = {key: options.pop(key) for key in ("channel", "start", "end") if key in options}
        path = self.root / (name or f"{utt}.wav")
        soundfile.write(path, samples, rate, **options)
        self.listed.append(Utterance(utt, str(path), "s", "genuine", **part))
        return path

    def check(self, **options):
        self.said.clear()
        self.converted.clear()
        return recordings.check("dev", self.listed, copies=self.copies, say=self.said.append, **options)

    def copy(self, utt):
        return self.copies / "dev" / f"{utt}.wav"


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    corpus = Corpus(tmp_path)

    def convert(path, *rest, whole=audio.convert):
        if len(corpus.converted) == corpus.stop_after:
            raise KeyboardInterrupt
        corpus.converted.append(path.stem)
        return whole(path, *rest)

    monkeypatch.setattr(audio, "convert", convert)
    return corpus


def test_what_needs_no_conversion_stays_where_it_is(corpus):
    paths = [corpus.add("a"), corpus.add("b", name="b.flac"), corpus.add("c", format="WAVEX", channel=1)]
    found = corpus.check()
    assert [(u.wav, u.source, u.content) for u in found] == [(str(path), None, Content.of(path)) for path in paths]
    assert corpus.said == [] and not corpus.copies.exists()


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_others_are_read_from_copies_and_counted(corpus, jobs, monkeypatch):
    monkeypatch.setattr(recordings, "UNIT", 2)
    corpus.add("plain")
    paths = {
        "rate": corpus.add("rate", rate=44100),
        "depth": corpus.add("depth", subtype="FLOAT"),
        "stereo": corpus.add("stereo", NOISE, channel=2, name="rate and channels.flac", rate=48000),
        "part": corpus.add("part", start=0.25, end=0.75),
    }
    found = {u.utt: u for u in corpus.check(jobs=jobs)}
    parts = {"stereo": (2,), "part": (None, 0.25, 0.75)}
    for utt, path in paths.items():
        expected, _ = audio.convert(path, 16000, *parts.get(utt, ()))
        np.testing.assert_array_equal(audio.read(corpus.copy(utt), 16000), expected)
        assert (found[utt].wav, found[utt].source) == (str(corpus.copy(utt)), str(path))
        assert found[utt].content == Content.of(path)
    kinds = "2 resampled, 1 converted, 1 reduced to one channel, 1 cut from longer ones"
    folder = corpus.copies / "dev"
    assert corpus.said == [f"dev: 4 of 5 recordings are read from 16 kHz mono 16-bit copies in {folder}: {kinds}"]
    assert recordings.counts(corpus.copies) == {
        "dev": {"converted": 1, "cut from longer ones": 1, "reduced to one channel": 1, "resampled": 2}
    }


def test_a_copy_is_made_again_only_if_what_it_is_of_has_changed(corpus):
    paths = [corpus.add(f"u{number}", NOISE[number:], rate=44100, channel=1) for number in range(4)]

    def again(**options):
        corpus.check(**options)
        return list(corpus.converted)

    assert [again(), again()] == [["u0", "u1", "u2", "u3"], []]
    os.utime(paths[0], ns=(1, 1))  # the same bytes
    soundfile.write(paths[1], NOISE[7:], 44100)
    corpus.listed[2] = replace(corpus.listed[2], channel=2)
    corpus.copy("u3").unlink()
    assert again() == ["u1", "u2", "u3"]
    np.testing.assert_array_equal(audio.read(corpus.copy("u2"), 16000), audio.convert(paths[2], 16000, 2)[0])
    assert len(again(force=True)) == 4
    log = corpus.copies / "dev" / recordings.LOG
    log.write_text(log.read_text()[:-20])  # killed while it wrote
    assert again() == ["u3"]


def test_an_interrupted_conversion_goes_on(corpus, monkeypatch):
    monkeypatch.setattr(recordings, "UNIT", 1)
    for number in range(3):
        corpus.add(f"u{number}", rate=8000)
    corpus.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        corpus.check()
    assert len(corpus.check()) == 3 and corpus.converted == ["u2"]


def test_copies_that_are_not_needed_any_more_are_removed(corpus):
    corpus.add("a", rate=8000)
    corpus.add("b", rate=8000)
    corpus.check()
    del corpus.listed[0]
    corpus.check()
    assert not corpus.copy("a").exists() and corpus.copy("b").exists()
    soundfile.write(corpus.root / "b.wav", NOISE[:, 0], 16000)
    corpus.check()
    assert not (corpus.copies / "dev").exists()


def test_all_are_looked_at_and_the_first_fault_is_named(corpus):
    corpus.add("a", NOISE)
    corpus.add("b").write_bytes(b"RIFF")
    path = corpus.add("c", rate=8000)
    with pytest.raises(UserError, match=r"a\.wav: has 2 channels.*`channel: N`.*\(1 more of the 3 recordings of dev"):
        corpus.check()
    path = path.rename(corpus.root / os.fsdecode(b"J\xfcrgen.wav"))
    corpus.listed = [Utterance("a", str(path), "s", "genuine")]
    with pytest.raises(UserError, match="rgen.wav: a name that is not UTF-8. Rename"):
        corpus.check()


def test_digital_silence_is_reported(corpus):
    corpus.add("a", np.zeros(900))
    corpus.add("b", np.full(900, 0.25), rate=8000)
    for _ in range(2):
        corpus.check()
        assert corpus.said[-1].startswith("warning: dev: 1 recordings are digital silence (a). Remove")


def test_the_channel_and_the_segment_identify_the_recordings(corpus, tmp_path):
    corpus.add("a", NOISE, channel=1)
    hashes = []
    for part in ({}, {"channel": 2}, {"start": 0.1}, {"start": None}):
        corpus.listed[0] = replace(corpus.listed[0], **part)
        datadir.write(tmp_path / "dev", corpus.check())
        hashes.append(datadir.recordings_hash(tmp_path / "dev"))
    assert len(set(hashes)) == 3 and hashes[1] == hashes[3]


def test_recordings_of_asvspoof_2017_keep_their_samples(real_data):
    wavs = sorted((real_data / "asvspoof2017").rglob("*.wav"))
    assert len(wavs) == 15
    for wav in wavs:
        samples, changes = audio.convert(wav, 16000)
        assert changes.keys() <= {audio.EXACT}
        np.testing.assert_array_equal(samples / 2**15, soundfile.read(wav)[0])
