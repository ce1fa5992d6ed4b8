"""The pipes of a Kaldi wav.scp, `id sph2pipe -f wav -p -c 1 FILE |`: run once, their output kept as recordings.

Such a line names programs to run. They run only if the user allows it, without a shell: words are split as a shell
splits them, quotes included, and `|` joins programs; no other shell syntax is supported.
"""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from afn.common import files, owned, paths
from afn.common.errors import UserError
from afn.common.processes import Chain
from afn.common.progress import Progress
from afn.corpora import datadir
from afn.corpora.datadir import Utterance

OPERATORS = "|&;<>()"


def run(utterances: Sequence[Utterance], folder: Path, label: str) -> list[Utterance]:
    """The utterances; each pipe is replaced by a recording of its output, `folder`/ID.wav.

    Raises UserError for a line that is not a chain of programs, and for a program that is missing or fails.
    """
    piped = [utterance for utterance in utterances if datadir.is_pipe(utterance.wav)]
    commands = {u.utt: parse(u.wav, f"wav.scp of {label}, utterance {u.utt}") for u in piped}
    if not piped:
        return list(utterances)
    owned.claim(folder.parent)
    with Progress(f"pipes of {label}", len(piped)) as progress, TemporaryDirectory() as logs:
        for utterance in piped:
            with files.whole(folder / f"{utterance.utt}.wav", "wb") as file:
                try:
                    with Chain(commands[utterance.utt], Path(logs) / "pipe", file) as chain:
                        chain.wait()
                except UserError as error:
                    raise UserError(f"wav.scp of {label}, utterance {utterance.utt}: {error}") from None
            progress.advance()
    return [replace(u, wav=paths.portable(folder / f"{u.utt}.wav")) if u.utt in commands else u for u in utterances]


def parse(text: str, where: str) -> list[list[str]]:
    """The programs of a pipe with their arguments. Raises UserError, which names `where`, for any other text."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=OPERATORS)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise UserError(f"{where}: {text!r}: {str(error).lower()}. Close the quotes.") from None
    programs: list[list[str]] = [[]]
    for word in words[:-1] if words[-1:] == ["|"] else [*words, "|"]:
        if word == "|":
            programs.append([])
        elif word and all(character in OPERATORS for character in word):
            raise UserError(f"{where}: {text!r} needs a shell for {word!r}. Only programs joined by | are run.")
        else:
            programs[-1].append(word)
    if not all(programs):
        raise UserError(f"{where}: {text!r} is not `program … |`. Correct the line.")
    return programs
