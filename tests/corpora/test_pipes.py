"""Pipes in a wav.scp: run only where allowed, never by a shell."""

import sys

import pytest
import soundfile

from afn.common.errors import UserError
from afn.corpora import pipes, recordings
from afn.corpora.datadir import Utterance
from afn.corpora.own import OwnCorpus


@pytest.mark.parametrize(
    ("text", "programs"),
    [
        ("cat 'a b.wav' | sox -t wav - -r 16k - |", [["cat", "a b.wav"], ["sox", "-t", "wav", "-", "-r", "16k", "-"]]),
        (r'cat "it\'s $(touch x) `y` #1"|', [["cat", r"it\'s $(touch x) `y` #1"]]),
        ("cat $HOME/*.wav 'a|b' #2 |", [["cat", "$HOME/*.wav", "a|b", "#2"]]),
    ],
)
def test_words_are_divided_as_a_shell_does_and_nothing_is_expanded(text, programs):
    assert pipes.parse(text, "wav.scp of dev, utterance u") == programs


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cat a && rm b |", "needs a shell for '&&'"),
        ("cat < a |", "needs a shell for '<'"),
        ("echo $(rm b) |", r"needs a shell for '\('"),
        ("cat 'a |", "no closing quotation. Close the quotes"),
        ("| cat", "is not `program … |`"),
        ("cat a | | cat |", "is not `program … |`"),
        ("no-such-program x |", "no-such-program: No such file or directory. Install it"),
        (
            f"{sys.executable} -c 'import sys; sys.exit(\"bad\\nfile\")' | cat |",
            "python.* ended with exit code 1: file",
        ),
        ("cat | false |", "false ended with exit code 1: no message"),
    ],
)
def test_what_is_no_chain_of_programs_or_fails_is_named_and_leaves_nothing(tmp_path, text, complaint):
    with pytest.raises(UserError, match=f"^wav.scp of dev, utterance u: .*{complaint}"):
        pipes.run([Utterance("u", text, "s", "genuine")], tmp_path / "piped", "dev")
    assert not list(tmp_path.rglob("*.wav"))


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """Reads a data directory whose recordings come through `cat`, from files with names a shell would stumble over."""
    names = ["a b.wav", "it's.wav", "$(touch PWNED).wav", "`touch PWNED`;.wav"]
    lines = []
    for number, name in enumerate(names):
        soundfile.write(tmp_path / name, [0.1 * number] * 400, 16000, subtype="PCM_16")
        quoted = name.replace("'", "'\\''")
        lines.append(f"u{number} cat '{quoted}' | cat |\n")
    (tmp_path / "wav.scp").write_text("".join(lines))
    (tmp_path / "utt2label").write_text("".join(f"u{n} genuine\n" for n in range(len(names))))
    monkeypatch.chdir(tmp_path)
    corpus = OwnCorpus(kind="datadir", name="mine", dev=str(tmp_path))
    return lambda **options: corpus.utterances(tmp_path, say=[].append, **options)["dev"]


def test_pipes_become_recordings_where_they_are_allowed(listed, tmp_path):
    with pytest.raises(UserError, match="the author of the list would run here.*--allow-pipes"):
        listed()
    assert not (tmp_path / "piped").exists()
    found = listed(allow_pipes=True)
    assert [u.wav for u in found] == [str(tmp_path / "piped" / "dev" / f"u{n}.wav") for n in range(4)]
    assert [soundfile.read(u.wav)[0][0] for u in found] == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-4)
    assert not (tmp_path / "PWNED").exists()


def test_output_that_is_no_recording_is_named(listed, tmp_path):
    (tmp_path / "wav.scp").write_text("".join(f"u{n} echo hello |\n" for n in range(4)))
    with pytest.raises(UserError, match=r"u0\.wav: not a readable recording.*3 more"):
        recordings.check("dev", listed(allow_pipes=True), copies=tmp_path / "copies")
