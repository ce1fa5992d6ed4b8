"""The pipes of a Kaldi wav.scp, `id sph2pipe -f wav -p -c 1 FILE |`: run once, and kept as recordings.

Such a line names programs to run. They run only where the user allows it, without a shell: words are divided as a shell
divides them, quotes included, and `|` joins programs; nothing else of a shell's language is understood.
"""

import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from afn.common import files, paths
from afn.common.errors import UserError
from afn.common.progress import Progress
from afn.corpora import datadir
from afn.corpora.datadir import Utterance

OPERATORS = "|&;<>()"


def run(utterances: Sequence[Utterance], folder: Path, label: str) -> list[Utterance]:
    """The utterances, those with a pipe with what it put out, `folder`/ID.wav, in its place.

    Raises UserError for a line that is more than programs joined by `|`, and for a program that is missing or fails.
    """
    piped = [utterance for utterance in utterances if datadir.is_pipe(utterance.wav)]
    commands = {u.utt: parse(u.wav, f"wav.scp of {label}, utterance {u.utt}") for u in piped}
    if not piped:
        return list(utterances)
    with Progress(f"pipes of {label}", len(piped)) as progress:
        for utterance in piped:
            with files.whole(folder / f"{utterance.utt}.wav", "wb") as file:
                _run(commands[utterance.utt], file.fileno(), f"wav.scp of {label}, utterance {utterance.utt}")
            progress.advance()
    return [replace(u, wav=paths.portable(folder / f"{u.utt}.wav")) if u.utt in commands else u for u in utterances]


def parse(text: str, where: str) -> list[list[str]]:
    """The programs of a pipe with their arguments; UserError, which names `where`, for what is no chain of programs."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=OPERATORS)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise UserError(f"{where}: {text!r}: {str(error).lower()}; close the quotes") from None
    programs: list[list[str]] = [[]]
    for word in words[:-1] if words[-1:] == ["|"] else [*words, "|"]:
        if word == "|":
            programs.append([])
        elif word and all(character in OPERATORS for character in word):
            raise UserError(f"{where}: {text!r} needs a shell for {word!r}; only programs joined by | are run")
        else:
            programs[-1].append(word)
    if not all(programs):
        raise UserError(f"{where}: {text!r} is not `program … |`; mend the line")
    return programs


def _run(programs: Sequence[Sequence[str]], output: int, where: str) -> None:
    """Run `programs`, each reading what the one before it writes, the last writing to the file `output`."""
    running: list[subprocess.Popen] = []
    with tempfile.TemporaryFile() as said:
        try:
            for index, program in enumerate(programs):
                source = running[-1].stdout if running else subprocess.DEVNULL
                target = output if index == len(programs) - 1 else subprocess.PIPE
                try:
                    running.append(subprocess.Popen(program, stdin=source, stdout=target, stderr=said))
                except OSError as error:
                    raise UserError(f"{where}: {program[0]}: {error.strerror}; install it, or mend the line") from None
                if index:
                    source.close()  # the next program alone holds it: so the one before notices when that ends
            codes = [process.wait() for process in running]
        finally:
            for process in running:
                process.kill()
                process.wait()
        # The last one that failed is to blame: its end breaks the pipes of those before it.
        for program, code in reversed(list(zip(programs, codes, strict=True))):
            if code:
                said.seek(0)
                lines = said.read().decode(errors="replace").split("\n")
                last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
                raise UserError(f"{where}: {program[0]} ended with exit code {code}: {last}")
