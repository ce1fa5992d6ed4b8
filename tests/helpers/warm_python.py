"""A Python that has imported the packages already: `PYTHON` for tests that start many scripts.

Packages take a second to import, our own modules a twentieth of that. So one process imports the packages; the program
that stands in for Python hands its arguments, folder, environment and streams to it, and it forks a child that runs the
script. Everything of the project is imported by every child anew. Signals are not passed on.
"""

import importlib
import json
import os
import runpy
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What the scripts of src/ import and takes long.
SLOW = (
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "scipy.fft",
    "scipy.optimize",
    "sklearn.linear_model",
    "soundfile",
    "torch",
    "torch.distributed",
    "tqdm",
    "yaml",
)

CLIENT = """#!{python} -SE
import json, os, socket, sys
if sys.argv[1].startswith("-"):  # -c, -m
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [b"%10d" % len(request)], [0, 1, 2])
    server.sendall(request)
    code = int(server.recv(10) or 1)
if code < 0:
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def serving(folder: Path) -> Iterator[Path]:
    """The program, in `folder`, for as long as the block lasts."""
    address, program = folder / "socket", folder / "python"
    program.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    program.chmod(0o755)
    command = [sys.executable, __file__, str(address)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"ready\n"
        yield program
        server.stdin.close()


def serve(address: str) -> None:
    """One script after the other, until stdin ends."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
            client, _ = listening.accept()
            with client:
                length, streams, _, _ = socket.recv_fds(client, 10, 3)
                request = b""
                while len(request) < int(length):
                    request += client.recv(65536)
                child = os.fork()
                if not child:
                    client.close()
                    listening.close()
                    run(streams, *json.loads(request))
                for stream in streams:
                    os.close(stream)
                client.sendall(b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def run(streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be the script, and end with it."""
    code: object = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = arguments
        inherited = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
        sys.path[:1] = [str(Path(arguments[0]).resolve().parent), *inherited]
        runpy.run_path(arguments[0], run_name="__main__")
        code = 0
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    for package in SLOW:
        importlib.import_module(package)
    serve(sys.argv[1])
