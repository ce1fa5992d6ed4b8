"""Recordings of any form as 16-bit samples at the rate of training."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from afn.common.errors import UserError
from afn.features import audio

RATE = 16000


@pytest.fixture
def written(tmp_path):
    def write(samples, rate=RATE, subtype="PCM_16", name="a.wav", **options):
        soundfile.write(tmp_path / name, samples, rate, subtype=subtype, **options)
        return tmp_path / name

    return write


def tone(rate, seconds=0.5, frequency=1000, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


@pytest.fixture
def speech(golden):
    return audio.read(golden / "g02_female_gb.wav", RATE)


@pytest.mark.parametrize(
    ("samples", "options", "complaint"),
    [
        (tone(8000), {"rate": 8000}, "8000 Hz instead of 16000 Hz. Convert it first"),
        (np.zeros((9, 2)), {}, "2 channels instead of one"),
        (np.zeros(9), {"subtype": "PCM_U8"}, "PCM_U8 samples instead of 16-bit PCM"),
        (np.zeros(9), {"subtype": "FLOAT", "rate": 8000}, "8000 Hz instead of 16000 Hz, FLOAT samples"),
        (np.zeros(0), {}, "holds no samples"),
    ],
)
def test_what_the_later_stages_read_needs_no_conversion(written, samples, options, complaint):
    with pytest.raises(UserError, match=rf"a\.wav: {complaint}"):
        audio.read(written(samples, **options), RATE)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"name": "a.flac"}, None),
        ({"format": "WAVEX"}, None),
        ({"format": "WAV", "endian": "BIG"}, None),
        ({"subtype": "PCM_24"}, audio.EXACT),
        ({"subtype": "FLOAT"}, audio.EXACT),
        ({"subtype": "DOUBLE", "format": "WAVEX"}, audio.EXACT),
        ({"subtype": "PCM_24", "name": "a.flac"}, audio.EXACT),
        ({"format": "RF64"}, audio.EXACT),
        ({"name": "a.aiff"}, audio.EXACT),
        ({"name": "a.au"}, audio.EXACT),
        ({"name": "a.caf"}, audio.EXACT),
        ({"format": "NIST"}, audio.EXACT),
    ],
    ids=str,
)
def test_every_format_that_holds_the_same_samples_gives_them(speech, written, options, kind):
    samples, changes = audio.convert(written(speech / 2**15, **options), RATE)
    np.testing.assert_array_equal(samples, speech)
    assert samples.dtype == np.int16 and list(changes) == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("name", "subtype", "far"),
    [
        ("a.wav", "PCM_U8", 2**8),
        ("a.wav", "ULAW", 2**10),
        ("a.ogg", "VORBIS", 2**11),
        ("a.opus", "OPUS", 2**11),
        ("a.mp3", "MPEG_LAYER_III", 2**10),
    ],
)
def test_lossy_formats_are_decoded_to_the_end(written, name, subtype, far):
    wanted = tone(RATE, seconds=6.1)  # more than a block
    options = {"format": "OGG"} if name == "a.opus" else {}
    samples, changes = audio.convert(written(wanted, subtype=subtype, name=name, **options), RATE)
    assert len(samples) == len(wanted)
    assert list(changes) == [audio.EXACT if name == "a.wav" else audio.ROUNDED]  # its few bits fit into 16
    assert np.abs(samples - 2**15 * wanted)[2000:-2000].max() < far


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_another_rate_is_resampled_with_a_note(written, rate):
    samples, changes = audio.convert(written(tone(rate, seconds=6.1), rate), RATE)
    wanted = 32768 * tone(RATE, seconds=6.1)
    assert len(samples) == len(wanted)
    assert np.abs(samples - wanted)[800:-800].max() < 2  # the ends ring
    assert f"{rate} Hz resampled to 16000 Hz" in changes[audio.RESAMPLED]
    assert ("nothing above 4000 Hz" in changes[audio.RESAMPLED]) == (rate == 8000)
    if rate > 40000:  # what the lower rate cannot hold is filtered out
        samples, _ = audio.convert(written(tone(rate, frequency=10000), rate), RATE)
        assert np.abs(samples[800:-800]).max() < 2


def test_of_several_channels_one_is_chosen(speech, written):
    path = written(np.stack([speech, speech[::-1]], axis=1))
    with pytest.raises(UserError, match=r"a\.wav: has 2 channels. Choose one.*--channel N, or `channel: N`"):
        audio.convert(path, RATE)
    for channel, wanted in ((1, speech), (2, speech[::-1])):
        samples, changes = audio.convert(path, RATE, channel)
        np.testing.assert_array_equal(samples, wanted)
        assert changes == {audio.CHANNEL: f"channel {channel} of 2"}
    with pytest.raises(UserError, match="has 2 channels. Correct channel 3"):
        audio.convert(path, RATE, 3)
    with pytest.raises(UserError, match="has one channel. Correct channel 2"):
        audio.convert(written(speech), RATE, 2)


@pytest.mark.parametrize(
    ("name", "subtype"), [("a.wav", "PCM_16"), ("a.flac", "PCM_16"), ("a.ogg", "VORBIS"), ("a.mp3", "MPEG_LAYER_III")]
)
def test_a_segment_is_that_part_of_the_whole(written, name, subtype):
    path = written(0.1 * np.random.default_rng(0).normal(size=10 * RATE), name=name, subtype=subtype)
    whole, _ = audio.convert(path, RATE)
    for start, end in ((0.5, 1.25), (5.01, 9.0), (None, 0.1), (9.5, None), (9.0, 10.3)):
        samples, changes = audio.convert(path, RATE, None, start, end)
        wanted = whole[round((start or 0) * RATE) : None if end is None else round(end * RATE)]
        np.testing.assert_array_equal(samples, wanted)
        assert audio.CUT in changes


@pytest.mark.parametrize(
    ("start", "end", "complaint"),
    [
        (0.2, 0.2, "nothing lies from 0.2 s to 0.2 s"),
        (0.7, 0.8, "ends at 0.5 s, where the segment begins"),
        (0.1, 1.1, "ends at 0.5 s, the segment at 1.1 s"),
    ],
)
def test_a_segment_that_is_not_there_is_refused(written, start, end, complaint):
    for options in ({}, {"name": "a.mp3", "subtype": "MPEG_LAYER_III"}):
        with pytest.raises(UserError, match=complaint):
            audio.convert(written(tone(RATE), **options), RATE, None, start, end)


@pytest.mark.parametrize(
    ("samples", "options", "complaint"),
    [
        (1000 * tone(RATE), {"subtype": "FLOAT"}, r"\d+ of 8000 samples exceed full scale"),
        ([0, np.nan], {"subtype": "FLOAT"}, "NaN or infinite"),
        ([], {"rate": 44100}, "holds no samples"),
        (np.zeros(9), {"rate": 1}, "a sampling rate of 1 Hz"),
    ],
)
def test_unusable_samples_are_refused_and_a_few_too_loud_ones_clipped_with_a_note(written, samples, options, complaint):
    path = written(np.asarray(samples, dtype=float), **options)
    for function in (audio.convert, audio.source)[: 1 if "exceed" in complaint else 2]:
        with pytest.raises(UserError, match=rf"a\.wav: .*{complaint}"):
            function(path, RATE)
    wave = np.append(np.zeros(300), [0.5, 1.5, -2.0, 1.0])
    clipped, changes = audio.convert(written(wave, subtype="FLOAT"), RATE)
    assert clipped[300:].tolist() == [16384, 32767, -32768, 32767]
    assert changes[audio.CLIPPED] == "2 samples clipped"


def test_hours_of_sound_in_a_small_file_are_refused_before_they_are_decoded(tmp_path, written):
    path = written(np.zeros(4096), rate=8000, name="a.flac")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = (3 * 3600 * 8000).to_bytes(4, "big")  # the total in STREAMINFO
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.flac: longer than 2 hours. Cut it"):
        audio.convert(path, RATE)
    content[22:26] = bytes(4)  # unknown
    path.write_bytes(content)
    samples, changes = audio.convert(path, RATE)
    assert len(samples) == 8192 and audio.UNFINISHED in changes


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such recording"),
        (b"", "an empty file"),
        (bytes(1000), "not a readable recording"),  # headerless
        (b"hello " * 99, "not a readable recording"),
        (b"RIFF", "not a readable recording"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "a.raw").write_bytes(content)
    for function in (audio.read, audio.convert):
        with pytest.raises(UserError, match=rf"a\.raw: {reason}"):
            function(tmp_path / "a.raw", RATE)
        with pytest.raises(UserError, match="not a readable recording"):
            function(tmp_path, RATE)


def test_source_audio_is_the_first_channel_unrounded_at_the_rate_asked_for(written):
    path = written(np.stack([tone(44100), -tone(44100)], 1), 44100, subtype="DOUBLE")
    np.testing.assert_array_equal(audio.source(path, 44100), tone(44100))
    np.testing.assert_allclose(audio.source(path, RATE)[500:-500], tone(RATE)[500:-500], atol=1e-6)


@pytest.mark.parametrize("name", [b"J\xfcrgen.wav", b"-i.mp3", b"a b.raw"])
def test_names_do_not_matter(tmp_path, written, name):
    path = written(tone(RATE), name="x.mp3", subtype="MPEG_LAYER_III")
    path.with_name("._x.mp3").write_bytes(b"\0\5\x16\7" * 20)  # what macOS leaves beside files
    wanted, _ = audio.convert(path, RATE)
    path.rename(odd := tmp_path / os.fsdecode(name))
    np.testing.assert_array_equal(audio.convert(odd, RATE)[0], wanted)


M4A = b"\0\0\0\x1cftypM4A \0\0\2\0" + bytes(99)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(M4A, "m4a"), (b"\x1a\x45\xdf\xa3" + bytes(99), "webm"), (b"#!AMR\n" + bytes(99), "amr"), (b"\xff\xf1P@", "aac")],
)
def test_what_only_ffmpeg_decodes_says_so_where_it_is_missing(tmp_path, monkeypatch, content, kind):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UserError, match=rf"a\.wav: {kind}.* is decoded by ffmpeg, which is not installed. Install it"):
        audio.convert(tmp_path / "a.wav", RATE)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("COPY", None),
        ("sys.exit('[mov @ 0x5f] moov atom not found')", "moov atom not found"),
        ("COPY; print('partial file', file=sys.stderr)", "partial file"),
    ],
)
def test_ffmpegs_samples_are_taken_and_its_complaints_passed_on(tmp_path, written, monkeypatch, lines, complaint):
    sound, wav, program = written(tone(RATE), subtype="FLOAT"), tmp_path / "b.m4a", tmp_path / "ffmpeg"
    wav.write_bytes(M4A)
    lines = lines.replace("COPY", f"shutil.copyfileobj(open('{sound}', 'rb'), sys.stdout.buffer)")
    check = f'assert sys.argv[1:4] == ["-nostdin", "-v", "error"] and "file:{wav}" in sys.argv'
    program.write_text(f"#!{sys.executable}\nimport shutil, sys\n{check}\n{lines}\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(program))
    if complaint is None:
        samples, changes = audio.convert(wav, RATE)
        np.testing.assert_array_equal(samples, audio.convert(sound, RATE)[0])
        assert changes == {audio.ROUNDED: "m4a or mp4 samples rounded to 16 bits"}
    else:
        with pytest.raises(UserError, match=rf"b\.m4a: damaged or cut short \(ffmpeg: {complaint}\)"):
            audio.convert(wav, RATE)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(
    "name",
    ["a.m4a", *(pytest.param(n, marks=pytest.mark.slow) for n in ("front.m4a", "a.aac", "a.webm", "a.wma", "a.oga"))],
)
def test_the_real_ffmpeg_decodes_and_tells_what_was_cut(tmp_path, written, name):
    path, options = tmp_path / name, {"front.m4a": ["-movflags", "+faststart"], "a.oga": ["-c:a", "flac"]}.get(name, [])
    sound = written(tone(RATE, seconds=3) + 0.05 * np.random.default_rng(0).normal(size=3 * RATE))
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", sound, *options, path], check=True)
    samples, changes = audio.convert(path, RATE)
    assert abs(len(samples) - 3 * RATE) < 2500 and changes
    assert np.abs(samples).max() > 10000
    part, _ = audio.convert(path, RATE, None, 1, 2)
    assert len(part) == RATE
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(UserError, match=r"damaged or cut short \(ffmpeg: |cut short, its last page is missing"):
        audio.convert(path, RATE)
