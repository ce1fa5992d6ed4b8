"""What a user's mistake looks like: one clear line on stderr and a non-zero exit, never a traceback."""

import sys
from collections.abc import Callable
from pathlib import Path

USER_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, the shell's convention


class UserError(Exception):
    """A mistake the user can mend. The text is one line: file or value, what is wrong, the mend."""


def run(main: Callable[[], None]) -> None:
    """Call `main` and turn a user's mistake, a refused file operation or Ctrl-C into one line and an exit code."""
    program = Path(sys.argv[0]).name
    try:
        main()
    except UserError as error:
        sys.exit(_say(program, " ".join(str(error).split()), USER_ERROR))
    except OSError as error:
        if error.errno is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(_say(program, f"{where}{error.strerror}; nothing incomplete was left under a final name", USER_ERROR))
    except KeyboardInterrupt:
        sys.exit(_say(program, "interrupted; the same command goes on from here", INTERRUPTED))


def _say(program: str, text: str, code: int) -> int:
    print(f"{program}: error: {text}", file=sys.stderr, flush=True)
    return code
