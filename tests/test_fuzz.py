"""Readers of files, given anything: they return, or raise UserError in one line that names the file.

A few dozen inputs a reader, always the same. FUZZ=20000 tries as many, new ones every time.
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from afn import corpora
from afn.common import config, labels, record
from afn.common.errors import UserError
from afn.corpora import asvspoof2017, datadir, label_table, pipes
from afn.corpora.datadir import Utterance
from afn.features import archives, audio, kaldi_options
from afn.metrics import score_files, trial_files
from afn.systems import checkpoints, registry

FUZZ = int(os.environ.get("FUZZ", "0"))
ALWAYS = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("readers", max_examples=FUZZ or 25, derandomize=not FUZZ, **ALWAYS)
settings.load_profile("readers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def survives(read, path, content):
    """What `read` makes of `content` in the file `path`; None where it is refused, as it should be."""
    path.write_bytes(content)
    try:
        return read(path)
    except UserError as refusal:
        assert str(path.parent) in str(refusal), refusal
        assert len(str(refusal)) > 10
        return None


# Text that is nearly right: words that a reader knows, numbers, and anything at all, between blanks and line ends.
WORDS = [
    *("genuine", "spoof", "target", "nontarget", "-", "|", "u.wav", "D_1.wav", "a", "b", "nan", "1e999", "0x1", "1_0"),
    *("feats.ark:5", ":", "feats.ark:-1", "\ufeff", "\0", "\u2028", "é", "٣", "'", '"', "$(x)", "~", "..", "[", "]"),
    *("--sample-frequency=16000", "--frame-length=25", "--dither=nan", "--snip-edges=maybe", "=", "--", "#"),
]
word = st.one_of(st.sampled_from(WORDS), st.text(max_size=6), st.integers().map(str), st.floats().map(repr))
line = st.tuples(st.sampled_from([" ", "\t", ",", "  "]), st.lists(word, max_size=8)).map(lambda x: x[0].join(x[1]))
ends = st.sampled_from(["\n", "\r\n", "\n\n", "\r"])
text = st.tuples(ends, st.lists(line, max_size=6)).map(lambda x: x[0].join(x[1]))
table = st.one_of(text.map(lambda t: t.encode(errors="replace")), st.binary(max_size=60))


def data_directory(name):
    def read(path):
        directory = path.parent / f"with {name}"
        if not directory.exists():
            listed = [Utterance("a", "a.wav", "s", "genuine"), Utterance("b", "b.wav", "s", "spoof")]
            datadir.write(directory, listed)
        (directory / name).write_bytes(path.read_bytes())
        return datadir.read(directory)

    return read


READERS = {
    "scores": (score_files.read, lambda found: found and np.isfinite(list(found.values())).all()),
    "labels": (labels.read, lambda found: set(found.values()) <= {"genuine", "spoof"}),
    "trials": (trial_files.read, lambda found: np.isfinite(list(found[0].values())).all()),
    "verifier": (trial_files.read_asv, bool),
    "protocol": (asvspoof2017.read_protocol, lambda found: all(u.wav == f"{u.utt}.wav" for u in found)),
    "Kaldi's options": (kaldi_options.read, bool),
    "label table": (lambda path: label_table.read(path, path.parent, None), bool),
    **{name: (data_directory(name), bool) for name in ("wav.scp", "utt2label", "utt2spk", "utt2cond")},
}


@pytest.mark.parametrize(("read", "holds"), READERS.values(), ids=READERS)
@given(content=table)
@example(content="a 1\nb ٣\n".encode())
def test_tables(folder, read, holds, content):
    found = survives(read, folder / "table.txt", content)
    assert found is None or holds(found)


@given(st.one_of(text, st.text(alphabet="ab '\"|\\;&<>() \n", max_size=20)))
def test_pipes(command):
    try:
        assert all(programs and all(isinstance(w, str) for w in programs) for programs in pipes.parse(command, "where"))
    except UserError as refusal:
        assert str(refusal).startswith("where: ")


# YAML: documents of any shape with the keys of ours, and settings of ours with any value in any place.
KEYS = "kind name extends train dev eval systems root seed model features frames title".split()  # noqa: SIM905
plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(codec="ascii"), max_size=5)
)
scalar = st.one_of(plain, st.text(max_size=5), st.dates(), st.sampled_from(["datadir", "neural", "lcnn.yaml"]))
keys = st.one_of(st.sampled_from(KEYS), scalar)
value = st.recursive(
    scalar,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
LINES = ["a: &a [1, 2]", "b: *a", "<<: *a", "? [a]", "!!int x", "!!timestamp y", "- a", "  b: 1", "&b {c: *b}"]
SHAPES = st.one_of(
    value.map(lambda content: yaml.safe_dump(content).encode()),
    st.text(alphabet="ab:-[]{}&*!#|>'\"%@ \n\t0x1.", max_size=30).map(str.encode),
    st.lists(st.sampled_from(LINES)).map(lambda lines: "\n".join(lines).encode()),
    st.binary(max_size=30),
)


@given(SHAPES)
def test_yamls_of_corpora(folder, content):
    survives(lambda path: config.load(corpora.Corpus, path), folder / "corpus.yaml", content)


AFN = config.read(Path(__file__).parent.parent / "conf" / "systems" / "afn.yaml")


@given(st.sampled_from(sorted({*AFN, *record.flat(AFN)})), value)
def test_settings_of_systems(name, content):
    for key in reversed(name.split(".")):
        content = {key: content}
    try:
        built = config.build(registry.settings_type(), config.merge(AFN, content), "afn.yaml")
        assert config.build(registry.settings_type(), config.plain(built), "again") == built
    except UserError as refusal:
        assert str(refusal).startswith("afn.yaml: ")


# Binary files: sound ones with bytes changed, put in, left out and cut off.
change = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 8), st.binary(max_size=8))
changes = st.tuples(st.lists(change, max_size=6), st.floats(0, 1))


def changed(content, edits):
    edits, keep = edits
    for place, out, into in edits:
        start = int(place**2 * len(content))  # headers are at the beginning
        content = content[:start] + into + content[start + out :]
    return content[: int(len(content) * keep**0.3)]


def encoded(**options):
    file = io.BytesIO()
    soundfile.write(file, np.arange(400, dtype=np.int16), 16000, **options)
    return file.getvalue()


PLAIN = [(form, "PCM_16") for form in ("WAV", "FLAC", "WAVEX", "AIFF", "RF64", "CAF", "AU", "NIST")]
LOSSY = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]
RECORDINGS = [encoded(format=form, subtype=coding) for form, coding in (*PLAIN, *LOSSY)]


@given(st.sampled_from(RECORDINGS), changes)
def test_recordings(folder, content, edits):
    path = folder / "a.wav"
    converted = survives(lambda path: audio.convert(path, 16000), path, changed(content, edits))
    samples = survives(lambda path: audio.read(path, 16000), path, path.read_bytes())
    if samples is not None:
        assert samples.dtype == np.int16 and samples.ndim == 1
        np.testing.assert_array_equal(samples, converted[0])


def archive(folder):
    matrices = {name: np.random.default_rng(len(name)).normal(size=(3, 4)).astype(np.float32) for name in ("u", "v_2")}
    archives.write(folder, matrices.items(), str(folder / "feats.ark"))
    return folder / "feats.scp", folder / "feats.ark"


def read_archive(scp):
    return dict(archives.FeatureArchive(scp, scp.parent))


@given(changes, st.one_of(table, changes))
def test_archives_and_their_lists(folder, edits, lines):
    scp, _ = archive(folder)
    survives(read_archive, scp, lines if isinstance(lines, bytes) else changed(scp.read_bytes(), lines))
    scp, ark = archive(folder)
    content = changed(ark.read_bytes(), edits)
    for read in (lambda path: dict(archives.read(path)), lambda _: read_archive(scp)):
        found = survives(read, ark, content)
        assert found is None or all(m.ndim == 2 and m.size and np.isfinite(m).all() for m in found.values())


@given(changes)
@settings(max_examples=FUZZ // 10 or 15)
def test_checkpoints(folder, edits):
    path = folder / "best.pt"
    checkpoints.save(path, {"model": {"weight": torch.zeros(3)}, "epoch": 1})
    found = survives(lambda path: checkpoints.load(path, torch.device("cpu")), path, changed(path.read_bytes(), edits))
    assert found is None or isinstance(found, dict)
