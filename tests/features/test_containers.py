"""Audio files that were cut short or damaged are refused in every format, and sound ones are read to their end."""

import numpy as np
import pytest
import soundfile

from afn.common.errors import UserError
from afn.features import audio, containers

RATE = 16000
NOISE = 0.1 * np.random.default_rng(0).normal(size=2 * RATE)
FORMATS = {
    "wav": {},
    "wav, 24 bit": {"subtype": "PCM_24"},
    "wav, float": {"subtype": "FLOAT"},
    "wav, ADPCM": {"subtype": "IMA_ADPCM"},
    "wav, big-endian": {"endian": "BIG"},
    "wav, extensible": {"format": "WAVEX"},
    "RF64": {"format": "RF64"},
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
    "aiff": {"format": "AIFF", "subtype": "PCM_16"},
    "au": {"format": "AU", "subtype": "PCM_16"},
    "caf": {"format": "CAF", "subtype": "PCM_16"},
    "sphere": {"format": "NIST", "subtype": "PCM_16"},
    "vorbis": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III"},
    "mp3, 44.1 kHz": {"format": "MP3", "subtype": "MPEG_LAYER_III", "samplerate": 44100},
}


@pytest.fixture
def written(tmp_path):
    def write(samplerate=RATE, format="WAV", **options):
        soundfile.write(tmp_path / "a", NOISE, samplerate, format=format, **options)
        return tmp_path / "a"

    return write


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_a_file_cut_anywhere_is_refused(written, options):
    path = written(**options)
    whole = path.read_bytes()
    assert len(audio.convert(path, options.get("samplerate", RATE))[0]) >= len(NOISE)
    for keep in (0.1, 0.5, 0.9, 0.99):
        path.write_bytes(whole[: int(keep * len(whole))])
        for function in (audio.convert, audio.source):
            with pytest.raises(UserError, match=r"Get the file again"):
                function(path, RATE)
    path.write_bytes(whole[:-1])
    with pytest.raises(UserError):
        audio.convert(path, RATE)


def without_xing(content):
    """An MP3 file without its first frame, which only tells how many there are."""
    assert b"Xing" in content[:100] or b"Info" in content[:100]
    return content[containers.frame(content[:4]).length :]


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("bitrate_mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_without_a_xing_tag_is_decoded_to_its_end(written, tmp_path, rate, bitrate_mode):
    """libsndfile estimates its length from the first frame, and would stop there."""
    quiet_then_loud = np.concatenate([np.zeros(rate), 0.3 * np.random.default_rng(0).normal(size=4 * rate)])
    soundfile.write(tmp_path / "a.mp3", quiet_then_loud, rate, bitrate_mode=bitrate_mode, compression_level=0.5)
    content = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "b.mp3").write_bytes(without_xing(content))
    with_tag, without = (audio.convert(tmp_path / name, rate)[0] for name in ("a.mp3", "b.mp3"))
    assert len(with_tag) == 5 * rate
    assert 0 <= len(without) - len(with_tag) < 3000  # the tag tells what was added at the ends
    assert np.abs(without[-rate:]).max() > 3000
    (tmp_path / "b.mp3").write_bytes(without_xing(content)[:-100])
    with pytest.raises(UserError, match="cut short, its last frame is incomplete"):
        audio.convert(tmp_path / "b.mp3", rate)


ID3 = b"ID3\4\0\0" + bytes([0, 0, 8, 0]) + bytes(1024)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda c: ID3 + ID3 + bytes(300) + c + b"TAG" + bytes(125), None),
        (lambda c: c + b"APETAGEX" + bytes(100), None),
        (lambda c: c[: len(c) // 2] + b"junk" * 50 + c[len(c) // 2 :], "damaged|incomplete"),
        (lambda c: c[: len(c) // 2] + c[len(c) // 2 + 77 :], "damaged|frames its header promises"),
        (lambda c: c[: containers.frame(c[:4]).length], "frames its header promises"),
        (lambda c: ID3, "holds nothing but a tag"),
        (lambda c: ID3 + b"hello" * 99, "not a readable recording"),
        (lambda c: b"\xff\xfb\x90\x00" + b"hello" * 999, "not a readable recording"),
    ],
)
def test_mp3_frames_and_what_may_lie_around_them(written, change, complaint):
    path = written(**FORMATS["mp3"])
    wanted = audio.convert(path, RATE)[0]
    path.write_bytes(change(path.read_bytes()))
    if complaint is None:
        np.testing.assert_array_equal(audio.convert(path, RATE)[0], wanted)
    else:
        with pytest.raises(UserError, match=complaint):
            audio.convert(path, RATE)


def patched(place, content):
    return lambda whole: whole[:place] + content + whole[place + len(content) :]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (patched(40, bytes(4)), "header was not finished: it promises no samples, but 64000 bytes follow"),
        (lambda c: patched(40, b"\xff" * 4)(c)[:-1], "ends within a sample"),
        (patched(40, b"\xff" * 4), None),  # as streaming programs write it
        (lambda c: c[:44], "holds 0 of the 64000 bytes"),
        (lambda c: c + b"LIST\4\0\0\0abcd", None),
        (lambda c: c + b"LIST\xff\0\0\0ab", None),  # a cut that took no samples
        (lambda c: c[:12] + b"note\3\0\0\0abc\0" + c[12:], None),
    ],
)
def test_wav_headers(written, change, complaint):
    path = written()
    path.write_bytes(change(path.read_bytes()))
    if complaint:
        with pytest.raises(UserError, match=complaint):
            audio.convert(path, RATE)
    else:
        samples, changes = audio.convert(path, RATE)
        assert len(samples) == len(NOISE)
        assert list(changes) == ([audio.UNFINISHED] if path.read_bytes()[40:44] == b"\xff" * 4 else [])


def test_a_damaged_flac_file_and_an_ogg_file_that_lacks_a_page_is_refused(written):
    path = written(**FORMATS["vorbis"])
    content = path.read_bytes()
    pages = [place for place in range(len(content)) if content.startswith(b"OggS", place)]
    path.write_bytes(content[: pages[-2]] + content[pages[-1] :])
    with pytest.raises(UserError, match="pages are missing"):
        audio.convert(path, RATE)
    path.write_bytes(content + b"TAG" + bytes(125))
    assert len(audio.convert(path, RATE)[0]) == len(NOISE)
    path = written(**FORMATS["flac"])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged or cut short after"):
        audio.convert(path, RATE)
