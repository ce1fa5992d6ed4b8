"""Runs the pipeline in forks of one process that has imported everything: a start takes milliseconds, not seconds.

Reads JSON lines on stdin: `[log, options of each system, options of stages -2 and -1, options of all stages]`. Writes
the id of the process that runs the stages, the leader of a new session, and its exit code when it has ended.
"""

import json
import os
import sys

if __name__ == "__main__":  # the processes of --nj import this file and need none of these
    import afn.systems.neural.system  # noqa: F401
    import attention
    import evaluate
    import extract
    import prepare
    import score
    import train
    from afn.common import errors
    from afn.experiment import environment

    environment._commit = lambda: None  # the tests' own commit may change while they run


def pipeline(rows: list[list[str]], jobs: list[str], shared: list[str]) -> int:
    stages = [(prepare, jobs)]
    for row in rows:
        stages += [(extract, row + jobs), (train, row), (attention, row), (score, row)]
    for stage, arguments in (*stages, (evaluate, [])):
        sys.argv = [f"{stage.__name__}.py", *arguments, *shared]
        try:
            errors.run(stage.main)
        except SystemExit as stop:
            return stop.code
    return 0


def serve() -> None:
    for line in sys.stdin:
        log, *arguments = json.loads(line)
        child = os.fork()
        if not child:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for stream in (1, 2):
                os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
            code = 130
            try:
                code = pipeline(*arguments)
                sys.stdout.flush()
            finally:
                os._exit(code)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
