"""Stand-ins for Kaldi's i-vector programs, which do with our models what Kaldi's would do with theirs.

Each is a real process that passes its arguments and its standard input to this one, where the models are at hand:
loading PyTorch for every program would take minutes. Every file of a model, a sum or an alignment is our own; features
come and i-vectors go in Kaldi's formats. Options, and whether files belong together, are checked.
"""

import hashlib
import io
import json
import socketserver
import struct
import sys
import threading
from pathlib import Path

import torch

from afn.features.archives import FeatureArchive
from afn.systems.gmm.models import DiagonalGMM, FullGMM
from afn.systems.ivector.extractor import IVectorExtractor

# Python's smallest parts, for it is begun hundreds of times. There and back: a line, then what is read or written.
CLIENT = f"""#!{sys.executable} -SIE
import sys, _socket
server = _socket.socket(_socket.AF_UNIX)
server.connect(ADDRESS)
server.sendall(chr(0).join(sys.argv).encode() + bytes([10]) + sys.stdin.buffer.read())
server.shutdown(_socket.SHUT_WR)
reply = bytearray()
while part := server.recv(1 << 16):
    reply += part
words, _, out = reply.partition(bytes([10]))
sys.stdout.buffer.write(out)
sys.stderr.write(words.decode())
sys.exit(bool(words))
"""


class StandIns:
    """The programs and a record of their calls: `calls`, the words of each command line.

    `fail` (program, number) makes a program's call of that number (from 1) end with an error; `lose` is an utterance of
    which no i-vector is written.
    """

    def __init__(self, folder: Path, socket: Path):
        self.calls: list[list[str]] = []
        self.fail: tuple[str, int] | None = None
        self.lose = ""
        self.lock = threading.Lock()
        for kind, names in FOLDERS.items():
            (folder / "src" / kind).mkdir(parents=True)
            for name in names:
                path = folder / "src" / kind / name
                path.write_text(CLIENT.replace("ADDRESS", repr(str(socket))))
                path.chmod(0o755)
        stand_ins = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                path, *words = self.rfile.readline().decode().rstrip("\n").split("\0")
                said, out = stand_ins.run([Path(path).name, *words], self.rfile.read())
                self.wfile.write(said.encode() + b"\n" + out)

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            request_queue_size = 64

        self.server = Server(str(socket), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def count(self, program):
        return sum(words[0] == program for words in self.calls)

    def run(self, words, stdin):
        with self.lock:
            self.calls.append(words)
            try:
                if self.fail == (words[0], self.count(words[0])):
                    raise ValueError("out of luck")
                options = dict(word[2:].split("=", 1) for word in words[1:] if word.startswith("--"))
                arguments = [word for word in words[1:] if not word.startswith("--")]
                out = PROGRAMS[words[0]](self, stdin, options, *arguments) or b""
                assert not options, f"unknown options {options}"
                return "", out
            except Exception as error:
                return f"ERROR ({words[0]}) {type(error).__name__}: {error}", b""

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def utterances(rspecifier):
    """(utterance, Tensor) of a list of features."""
    kind, _, scp = rspecifier.partition(":")
    assert kind == "scp", rspecifier
    archive = FeatureArchive(Path(scp), Path("/"))
    assert list(archive) == sorted(archive, key=str.encode)
    return [(utt, torch.from_numpy(archive[utt].copy())) for utt in archive]


def read(rxfilename):
    return torch.load(rxfilename, weights_only=True)


def packed(content):
    out = io.BytesIO()
    torch.save(content, out)
    return out.getvalue()


def aligned(rspecifier, stdin, features):
    """An alignment, which must be of the very utterances in `features`."""
    kind, _, name = rspecifier.partition(":")
    assert kind == "ark,s,cs", rspecifier
    alignment = json.loads(stdin if name == "-" else Path(name).read_bytes())
    assert alignment["utterances"] == [[utt, len(frames)] for utt, frames in features]
    return alignment


def write(wspecifier, content):
    kind, _, name = wspecifier.partition(":")
    assert kind == "ark", wspecifier
    if name == "-":
        return content
    Path(name).write_bytes(content)
    return None


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def initialise(stand_ins, stdin, options, features, out):
    assert options.pop("num-threads").isdecimal() and options.pop("num-frames") == "500000"
    assert options.pop("num-iters") == "20" and options.pop("min-gaussian-weight") == "0.0001"
    assert options.pop("srand").isdecimal()
    components, first = int(options.pop("num-gauss")), int(options.pop("num-gauss-init"))
    assert first in (components, components // 2)
    frames = [frames for _, frames in utterances(features)]
    mixture = DiagonalGMM.grown(frames, components, 4, float(options.pop("min-variance")))
    Path(out).write_bytes(packed(mixture.state_dict()))


def select(stand_ins, stdin, options, model, features, out):
    assert read(model)["spread"].ndim == 2, "not a diagonal model"
    found = [[utt, len(frames)] for utt, frames in utterances(features)]
    selection = {"selected": int(options.pop("n")), "by": str(model), "utterances": found}
    return write(out, json.dumps(selection).encode())


def accumulate(stand_ins, stdin, options, model, features, out):
    heard = utterances(features)
    mixture = read(model)
    assert aligned(options.pop("gselect"), stdin, heard)["selected"] == len(mixture["weights"])
    Path(out).write_bytes(packed({"model": digest(model), "frames": dict(heard)}))


def added(out, *parts):
    sums = [read(part) for part in parts]
    assert len({part["model"] for part in sums}) == 1
    frames = {utt: matrix for part in sums for utt, matrix in part["frames"].items()}
    assert len(frames) == sum(len(part["frames"]) for part in sums), "an utterance stands in two parts"
    Path(out).write_bytes(packed(sums[0] | {"frames": frames}))


def estimator(kind, floor):
    def estimate(stand_ins, stdin, options, model, total, out):
        assert options.pop("remove-low-count-gaussians") in ("true", "false")
        assert options.pop("min-gaussian-weight") == "0.0001"
        sums = read(total)
        assert sums["model"] == digest(model), "sums of another model"
        mixture = kind.from_state_dict(read(model))
        assert mixture.covariance.ndim == (2 if kind is DiagonalGMM else 3)
        iterations = len(mixture.trace) + 1
        mixture.fit(list(sums["frames"].values()), iterations, 0.0, float(options.pop(floor)))
        Path(out).write_bytes(packed(mixture.state_dict()))

    return estimate


def to_full(stand_ins, stdin, options, model, out):
    Path(out).write_bytes(packed(FullGMM.from_diagonal(DiagonalGMM.from_state_dict(read(model))).state_dict()))


def to_diagonal(stand_ins, stdin, options, model, out):
    Path(out).write_bytes(packed(FullGMM.from_state_dict(read(model)).diagonal().state_dict()))


def begin_extractor(stand_ins, stdin, options, ubm, out):
    assert options.pop("use-weights") == "false"
    extractor = IVectorExtractor.sampled(FullGMM.from_state_dict(read(ubm)), int(options.pop("ivector-dim")), seed=1)
    Path(out).write_bytes(packed(extractor.state_dict()))


def posteriors(stand_ins, stdin, options, ubm, features, selection, out):
    alignment = aligned(selection, stdin, utterances(features))
    diagonal = FullGMM.from_state_dict(read(ubm)).diagonal()
    assert torch.equal(diagonal.variances, read(alignment["by"])["spread"]), "selected by another model"
    return write(out, json.dumps(alignment | {"least": float(options.pop("min-post"))}).encode())


def extractor_of(model, alignment):
    limits = {"selected": alignment["selected"], "least_posterior": alignment["least"]}
    return IVectorExtractor.from_state_dict(read(model) | limits)


def accumulate_extractor(stand_ins, stdin, options, model, features, alignment, out):
    assert options.pop("num-threads") == "1"
    heard = utterances(features)
    alignment = aligned(alignment, stdin, heard)
    limits = {name: alignment[name] for name in ("selected", "least")}
    Path(out).write_bytes(packed({"model": digest(model), "frames": dict(heard), **limits}))


def estimate_extractor(stand_ins, stdin, options, model, total, out):
    assert options.pop("num-threads").isdecimal()
    sums = read(total)
    assert sums["model"] == digest(model), "sums of another model"
    extractor = extractor_of(model, sums)
    statistics = extractor.alignment.statistics(list(sums["frames"].values()), second_order=True)
    extractor.fit(statistics, len(extractor.trace) + 1)
    Path(out).write_bytes(packed(extractor.state_dict()))


def extract(stand_ins, stdin, options, model, features, alignment, out):
    heard = utterances(features)
    extractor = extractor_of(model, aligned(alignment, stdin, heard))
    vectors = extractor.extract([frames for _, frames in heard]).float().numpy()
    return write(
        out,
        b"".join(
            utt.encode() + b" \0BFV \4" + struct.pack("<i", len(vector)) + vector.tobytes()
            for (utt, _), vector in zip(heard, vectors, strict=True)
            if utt != stand_ins.lose
        ),
    )


FOLDERS = {
    "gmmbin": {
        "gmm-global-init-from-feats": initialise,
        "gmm-gselect": select,
        "gmm-global-acc-stats": accumulate,
        "gmm-global-sum-accs": lambda s, stdin, options, out, *parts: added(out, *parts),
        "gmm-global-est": estimator(DiagonalGMM, "min-variance"),
        "gmm-global-to-fgmm": to_full,
    },
    "fgmmbin": {
        "fgmm-global-to-gmm": to_diagonal,
        "fgmm-global-acc-stats": accumulate,
        "fgmm-global-sum-accs": lambda s, stdin, options, out, *parts: added(out, *parts),
        "fgmm-global-est": estimator(FullGMM, "variance-floor"),
        "fgmm-global-gselect-to-post": posteriors,
    },
    "ivectorbin": {
        "ivector-extractor-init": begin_extractor,
        "ivector-extractor-acc-stats": accumulate_extractor,
        "ivector-extractor-sum-accs": lambda s, stdin, options, *parts: added(parts[-1], *parts[:-1]),
        "ivector-extractor-est": estimate_extractor,
        "ivector-extract": extract,
    },
}
PROGRAMS = {name: run for programs in FOLDERS.values() for name, run in programs.items()}
