"""What tests share: golden numbers, stand-ins for Kaldi's programs, and real data where there are any."""

import logging
import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # results are compared byte for byte across processes
os.environ.pop("MPLBACKEND", None)  # a notebook names a backend that may not be installed here

from afn.common import allocator  # noqa: E402

allocator.keep_freed()  # as the programs do; the golden networks take half the time
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored; some tests send it
pytest_plugins = ["score_fixtures"]
GOLDEN = Path(__file__).parent / "golden"
# Programs that tests start import the package and the helpers as the tests do.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parents[1] / "src"), str(Path(__file__).parent / "helpers"), os.environ.get("PYTHONPATH", "")]
).rstrip(os.pathsep)
# These take long: of two processes neither should be left alone with one of them at the end.
FIRST = ("test_golden_networks.py", "test_run.py", "test_faults.py", "test_cluster.py", "test_docs.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


@pytest.fixture(autouse=True)
def quiet_afterwards() -> Iterator[None]:
    """Close the handlers of the training log after each test: their stdout and folder may be gone in the next."""
    yield
    log = logging.getLogger("train")
    for handler in log.handlers[:]:
        log.removeHandler(handler)
        handler.close()


@pytest.fixture(scope="session")
def golden() -> Path:
    """Outputs of independent programs on small signals; tests/golden/README.md tells which."""
    return GOLDEN


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that REAL_DATA names, holding asvspoof2017/, scores/, speech/, real_replays/, impulse_responses/."""
    if not os.environ.get("REAL_DATA"):
        pytest.skip("REAL_DATA is not set: it names a folder with asvspoof2017/, speech/, real_replays/ and others")
    return Path(os.environ["REAL_DATA"])


# The arguments that each program must get; each plays back or passes on what Kaldi itself would write.
# A C++ program dies of a broken pipe; Python's default is an exception.
HEAD = f"""#!{sys.executable}
import signal, sys
from pathlib import Path
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
here = Path(__file__).parent
"""
COMPUTE = """
config, rspecifier, wspecifier = sys.argv[1:]
assert config.startswith("--config=") and "--snip-edges=false" in Path(config[9:]).read_text(), config
assert rspecifier.startswith("scp:") and wspecifier == "ark:-"
import numpy as np
tables = np.load(here / "tables.npz")
for line in Path(rspecifier[4:]).read_text().splitlines():
    utt, wav = line.split(" ", 1)
    if not Path(wav).exists():
        print("WARNING (compute-spectrogram-feats) cannot open " + wav, file=sys.stderr)
        continue
    matrix = np.ascontiguousarray(tables["spec_nosnip/" + utt])
    rows, columns = (int(n).to_bytes(4, "little") for n in matrix.shape)
    sys.stdout.buffer.write(utt.encode() + b" \\0BFM \\4" + rows + b"\\4" + columns + matrix.tobytes())
"""
PASS_ON = """
assert sys.argv[1:] == {arguments}, sys.argv
sys.stdout.buffer.write(sys.stdin.buffer.read())
"""
COPY = """
compress, rspecifier, wspecifier = sys.argv[1:]
assert (compress, rspecifier) == ("--compress=false", "ark:-") and wspecifier.startswith("ark:")
Path(wspecifier[4:]).write_bytes(sys.stdin.buffer.read())
"""


@pytest.fixture
def kaldi_installed(tmp_path, golden, monkeypatch):
    """A KALDI_ROOT with stand-ins for the three programs; the folder that holds them and a spectrogram.conf."""
    folder = tmp_path / "kaldi" / "src" / "featbin"
    folder.mkdir(parents=True)
    (folder / "tables.npz").write_bytes((golden / "kaldi_spectrogram.npz").read_bytes())
    (folder / "spectrogram.conf").write_text("--snip-edges=false\n")
    cmvn = ["--norm-vars=false", "--center=true", "--cmn-window=300", "ark:-", "ark:-"]
    install(folder, "compute-spectrogram-feats", COMPUTE)
    install(folder, "apply-cmvn-sliding", PASS_ON.format(arguments=cmvn))
    install(folder, "copy-feats", COPY)
    monkeypatch.setenv("KALDI_ROOT", str(tmp_path / "kaldi"))
    return folder


@pytest.fixture
def kaldi_program():
    """Writes a stand-in: `kaldi_program(folder, name, code)`."""
    return install


def install(folder: Path, program: str, code: str) -> None:
    path = folder / program
    path.write_text(HEAD + code)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
