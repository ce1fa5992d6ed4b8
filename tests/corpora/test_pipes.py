"""Pipes in a wav.scp: run only where allowed, never by a shell."""

import sys

import pytest
import soundfile

from afn.common.errors import UserError
from afn.corpora import pipes, recordings
from afn.corpora.datadir import Utterance
from afn.corpora.own import OwnCorpus

WHERE = "wav.scp of dev, utterance u"


@pytest.mark.parametrize(
    ("text", "programs"),
    [
        ("sph2pipe -f wav -p -c 1 a.sph |", [["sph2pipe", "-f", "wav", "-p", "-c", "1", "a.sph"]]),
        ("cat 'a b.wav' | sox -t wav - -r 16k - |", [["cat", "a b.wav"], ["sox", "-t", "wav", "-", "-r", "16k", "-"]]),
        (r'cat "it\'s $(touch x) `y` #1"|', [["cat", r"it\'s $(touch x) `y` #1"]]),
        ("cat $HOME/*.wav #2 |", [["cat", "$HOME/*.wav", "#2"]]),
        ("cat 'a|b' |", [["cat", "a|b"]]),
    ],
)
def test_words_are_divided_as_a_shell_does_and_nothing_is_expanded(text, programs):
    assert pipes.parse(text, WHERE) == programs


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cat a; rm b |", "needs a shell for ';'"),
        ("cat a && rm b |", "needs a shell for '&&'"),
        ("cat < a |", "needs a shell for '<'"),
        ("echo $(rm b) |", r"needs a shell for '\('"),
        ("cat 'a |", "no closing quotation. Close the quotes"),
        ("|", "is not `program … |`"),
        ("| cat", "is not `program … |`"),
        ("cat a | | cat |", "is not `program … |`"),
    ],
)
def test_what_is_no_chain_of_programs_is_refused(text, complaint):
    with pytest.raises(UserError, match=complaint) as refused:
        pipes.parse(text, WHERE)
    assert str(refused.value).startswith(WHERE)


@pytest.fixture
def lists(tmp_path):
    """A data directory whose recordings come through `cat`, from files with names that a shell would stumble over."""
    directory = tmp_path / "dev"
    directory.mkdir()
    names = ["a b.wav", "it's.wav", "$(touch PWNED).wav", "`touch PWNED`;.wav"]
    lines = []
    for number, name in enumerate(names):
        soundfile.write(tmp_path / name, [0.1 * number] * 400, 16000, subtype="PCM_16")
        quoted = str(tmp_path / name).replace("'", "'\\''")
        lines.append(f"u{number} cat '{quoted}' | cat |\n")
    (directory / "wav.scp").write_text("".join(lines))
    (directory / "utt2label").write_text("".join(f"u{n} genuine\n" for n in range(len(names))))
    return directory


def listed(lists, folder, **options):
    corpus = OwnCorpus(kind="datadir", name="mine", dev=str(lists))
    return corpus.utterances(folder, say=[].append, **options)["dev"]


def test_pipes_become_recordings_where_they_are_allowed(lists, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = listed(lists, tmp_path, allow_pipes=True)
    assert [u.wav for u in found] == [str(tmp_path / "piped" / "dev" / f"u{n}.wav") for n in range(4)]
    for number, utterance in enumerate(found):
        assert soundfile.read(utterance.wav)[0][0] == pytest.approx(0.1 * number, abs=1e-4)
    assert not (tmp_path / "PWNED").exists()


def test_pipes_are_refused_with_the_reason_and_the_option(lists, tmp_path):
    with pytest.raises(UserError, match="the author of the list would run here.*--allow-pipes"):
        listed(lists, tmp_path)
    assert not (tmp_path / "piped").exists()


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("no-such-program x |", "no-such-program: No such file or directory. Install it"),
        (
            f"{sys.executable} -c 'import sys; sys.exit(\"bad\\nfile\")' | cat |",
            "python.* ended with exit code 1: file",
        ),
        ("cat | false |", "false ended with exit code 1: no message"),
    ],
)
def test_a_program_that_fails_is_named_and_leaves_nothing(tmp_path, command, complaint):
    with pytest.raises(UserError, match=complaint):
        pipes.run([Utterance("u", command, "s", "genuine")], tmp_path / "piped", "dev")
    assert not list(tmp_path.rglob("*.wav"))


def test_output_that_is_no_recording_is_named(lists, tmp_path):
    (lists / "wav.scp").write_text("".join(f"u{n} echo hello |\n" for n in range(4)))
    found = listed(lists, tmp_path, allow_pipes=True)
    with pytest.raises(UserError, match=r"u0\.wav: not a readable recording.*3 more"):
        recordings.check("dev", found)
