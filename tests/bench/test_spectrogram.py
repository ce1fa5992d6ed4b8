"""What the spectrogram's measurement compares does the work it says."""

import bench_spectrogram


def test_ours_and_kaldis_run_over_the_same_recordings(tmp_path, golden, kaldi_installed):
    recordings = [(utt, str(golden / f"{utt}.wav")) for utt in ("g01_male_us", "g03_short030")]
    assert bench_spectrogram.kaldis(recordings, tmp_path) > 0
    kaldis = (tmp_path / "out" / "utt2num_frames").read_text()
    assert bench_spectrogram.core(recordings, 0.0, tmp_path) > 0
    assert (tmp_path / "out" / "utt2num_frames").read_text() == kaldis
    assert bench_spectrogram.clock(recordings, tmp_path, 1) > 0
    assert (tmp_path / "out" / "utt2num_frames").read_text().split()[1::2] == kaldis.split()[1::2]
