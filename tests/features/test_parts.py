"""Features in parts: the same bytes on any number of processes, whole parts, and their reuse."""

import os
import time

import numpy as np
import pytest
import soundfile

from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.features import archives, audio, parts
from afn.features.front_end import PlainFrontEnd, SpectrogramFrontEnd
from afn.features.kaldi_options import SpectrogramOptions
from afn.features.settings import LogMagnitude

FRONT_END = SpectrogramFrontEnd(SpectrogramOptions(snip_edges=False), 300, False)


@pytest.fixture
def recordings(tmp_path):
    """20 recordings of different lengths: three parts."""
    found = []
    for k in range(20):
        path = tmp_path / f"{k}.wav"
        soundfile.write(path, np.random.default_rng(k).normal(0, 1000, 3000 + 100 * k).astype(np.int16), 16000)
        found.append((f"u{k:02}", str(path)))
    return found


def extract(folder, recordings, jobs=1, made_by="x", since=0, done=lambda count: None):
    return parts.extract(parts.Extraction(folder, FRONT_END, made_by, since), recordings, len(recordings), jobs, done)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (8, [8]), (9, [8, 1]), (160, [8] * 20), (3014, [95] * 31 + [69]), (10_000, [256] * 39 + [16])],
)
def test_parts_depend_on_the_number_of_recordings_alone(count, sizes):
    recordings = [(f"u{n:06}", f"{n}.wav") for n in range(count)]
    found = list(parts.split(recordings, count))
    assert [part.number for part in found] == list(range(1, len(sizes) + 1))
    assert [len(part.recordings) for part in found] == sizes
    assert [recording for part in found for recording in part.recordings] == recordings


@pytest.mark.parametrize("front_end", [FRONT_END, PlainFrontEnd(LogMagnitude(kind="log_magnitude", name="stc"))])
def test_the_same_bytes_as_one_recording_at_a_time_on_any_number_of_processes(tmp_path, recordings, front_end):
    written, counts = {}, []
    for jobs in (1, 2):
        folder = tmp_path / f"{jobs}"
        extraction = parts.Extraction(folder, front_end, "x")
        written[jobs] = parts.extract(extraction, recordings, 20, jobs, counts.append)
        archive = archives.FeatureArchive(folder / "feats.scp", ROOT)
        assert list(archive) == [utt for utt, _ in recordings]
        for utt, wav in recordings:
            assert archive[utt].tobytes() == front_end(utt, audio.read(wav, 16000)).tobytes()
    assert written[1] == written[2] and counts == 2 * [8, 8, 4]
    for number in (1, 2, 3):
        assert (tmp_path / f"1/feats.{number}.ark").read_bytes() == (tmp_path / f"2/feats.{number}.ark").read_bytes()
    lengths = [line.split() for line in (tmp_path / "1" / "utt2num_frames").read_text().splitlines()]
    assert lengths == [[utt, str(len(matrix))] for utt, matrix in archive.items()]


def test_an_interrupted_extraction_resumes_by_part(tmp_path, recordings):
    out = tmp_path / "out"
    expected = extract(tmp_path / "whole", recordings)
    damaged = [*recordings[:17], ("u17", "gone.wav"), *recordings[18:]]
    with pytest.raises(UserError, match=r"gone\.wav: no such recording"):
        extract(out, damaged)
    assert not (out / "feats.scp").exists() and not (out / "feats.3.ark").exists()
    before = stamps(out)
    assert sorted(before) == ["feats.1.ark", "feats.2.ark"]
    assert extract(out, recordings) == expected
    assert {name: stamp for name, stamp in stamps(out).items() if name in before} == before
    assert (out / "utt2num_frames").read_bytes() == (tmp_path / "whole" / "utt2num_frames").read_bytes()


@pytest.mark.parametrize("why", ["made by other settings", "older than --force", "cut", "gone"])
def test_a_part_that_is_not_up_to_date_is_extracted_again(tmp_path, recordings, why):
    out = tmp_path / "out"
    expected = extract(out, recordings)
    whole = (out / "feats.2.ark").read_bytes()
    past = time.time_ns() - 10**10
    for path in out.iterdir():
        os.utime(path, ns=(past, past))
    before, options = stamps(out), {}
    if why == "made by other settings":
        options["made_by"] = "y"
    elif why == "older than --force":
        options["since"] = past + 1
    elif why == "cut":
        (out / "feats.2.ark").write_bytes(whole[:-4])
    else:
        (out / "feats.2.ark").unlink()
    assert extract(out, recordings, **options) == expected
    again = {name for name, stamp in stamps(out).items() if stamp != before.get(name)}
    assert again == ({"feats.2.ark"} if why in ("cut", "gone") else set(before))
    assert (out / "feats.2.ark").read_bytes() == whole


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.ark")}
