"""Kaldi option files: read as Kaldi reads them, refused by name where we cannot follow."""

import pytest

from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.features.kaldi_options import SpectrogramOptions, read


def test_the_spectrograms_conf_is_the_papers():
    options = read(ROOT / "conf" / "spectrogram.conf")
    assert options == SpectrogramOptions(sample_frequency=16000.0, snip_edges=False)
    assert (options.length, options.shift, options.fft_size, options.bins) == (400, 160, 512, 257)
    assert options.dither == 1.0  # Kaldi's default stays on


def test_comments_blank_lines_and_flags_are_read(tmp_path):
    (tmp_path / "a.conf").write_text("# all\n\n--dither=0.5  # half\n--snip-edges\n--window-type=hamming\n")
    options = read(tmp_path / "a.conf")
    assert (options.dither, options.snip_edges, options.window_type) == (0.5, True, "hamming")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("--vtln-low=100", "--vtln-low"),
        ("--dithre=0", "--dithre"),
        ("dither=0", "dither=0"),
        ("--dither=loud", "--dither: 'loud' is not"),
        ("--snip-edges=no", "--snip-edges=no"),
        ("--window-type=kaiser", "kaiser"),
        ("--frame-length=0.01", "too short"),
        ("--dither=-1", "--dither"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(tmp_path, text, names):
    (tmp_path / "a.conf").write_text(f"--sample-frequency=16000\n{text}\n")
    with pytest.raises(UserError, match=names) as error:
        read(tmp_path / "a.conf")
    assert "a.conf" in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.conf"):
        read(tmp_path / "none.conf")
