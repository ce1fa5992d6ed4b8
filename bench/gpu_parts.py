"""The parts of gpu.py, each a process: `gpu_parts.py PART --device cuda --rows FILE`. gpu.py starts them."""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

import golden_weights
from afn.common import config
from afn.common.paths import ROOT
from afn.systems import checkpoints, registry
from afn.systems import device as devices
from afn.systems.gmm.models import DiagonalGMM, FullGMM
from afn.systems.ivector.extractor import IVectorExtractor
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.batches import Tiled
from afn.systems.neural.dilated_resnet import DilatedResNet
from afn.systems.neural.inference import for_scoring
from afn.systems.neural.light_cnn import LightCNN
from afn.systems.neural.settings import Neural
from afn.systems.neural.training import BEST, LAST, Trainer
from afn.systems.subset import Subset
from reference_model import Reference, ReferenceDRN

FRAMES, BINS = 1091, 257
TOLERANCE = 1e-4  # of scores and masks in float32
FORWARD_BYTES = 1.2e9  # of maps that the attentive filtering network moves per utterance in bfloat16
NETWORKS = {
    "AFN": (AttentiveFilteringNetwork, "attentive_filtering/sigmoid"),
    "DRN": (DilatedResNet, "dilated_resnet/relu"),
    "LCNN": (LightCNN, "light_cnn/reduced"),
}
REFERENCES = {"AFN": Reference, "DRN": ReferenceDRN}
MODES = ("default", "reduce-overhead")
# TFLOP/s dense, and TB/s: NVIDIA's data sheets "H100 Tensor Core GPU" and "H200 Tensor Core GPU".
PEAKS = {
    "H100 PCIe": {"bfloat16": 756, "tf32": 378, "float32": 51, "bandwidth": 2.0},
    "H100 NVL": {"bfloat16": 835, "tf32": 417, "float32": 60, "bandwidth": 3.9},
    "H200 NVL": {"bfloat16": 835, "tf32": 417, "float32": 60, "bandwidth": 4.8},
    "H100": {"bfloat16": 989, "tf32": 494, "float32": 67, "bandwidth": 3.35},
    "H200": {"bfloat16": 989, "tf32": 494, "float32": 67, "bandwidth": 4.8},
}


class Bench:
    """What every part needs: the device, the sizes, and where measurements go."""

    def __init__(self, part: str, device: str, rows: Path, data: Path, small: bool):
        self.part, self.rows, self.data, self.small = part, rows, data, small
        self.device = devices.choose()
        if self.device.type != device:
            raise SystemExit(
                f"{part}: the device is {self.device.type}, not {device}. Use --device {self.device.type}."
            )
        self.cuda = device == "cuda"
        self.scratch = Path(tempfile.mkdtemp())

    def row(self, what: str, value: float | str, unit: str = "", **more: object) -> None:
        """Append a measurement at once."""
        self.append({"part": self.part, "what": what, "value": value, "unit": unit} | more)

    def append(self, row: dict) -> None:
        with self.rows.open("a") as file:
            file.write(json.dumps(row) + "\n")

    @contextlib.contextmanager
    def each(self, what: str) -> Iterator[None]:
        """A measurement whose failure becomes a row, and leaves the rest to go on."""
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            self.row(what, f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"[:120])
        finally:
            if self.cuda:
                torch.cuda.empty_cache()

    def timed(self, run: Callable[[], object], seconds: float = 1.2) -> tuple[float, float]:
        """The median seconds of a call after a warm-up, and the peak memory in GB."""
        for _ in range(1 if self.small else 4):
            run()
        if not self.cuda:
            started = time.perf_counter()
            run()
            return time.perf_counter() - started, 0.0
        torch.cuda.reset_peak_memory_stats()
        taken, begun = [], time.monotonic()
        while len(taken) < 5 or (time.monotonic() - begun < seconds and len(taken) < 200):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            run()
            end.record()
            end.synchronize()
            taken.append(start.elapsed_time(end) / 1000)
        return statistics.median(taken), torch.cuda.max_memory_allocated() / 1e9

    def limits(self, name: str, precision: str, per_second: float, passes: int) -> dict[str, float]:
        """The fractions of the card's peaks at a speed; a training step counts as three forward passes."""
        peaks = peaks_of(torch.cuda.get_device_name()) if self.cuda else None
        if peaks is None or name not in MACS:
            return {}
        found = {"of peak FLOP/s": 2 * MACS[name] * passes * per_second / (peaks[precision] * 1e12)}
        if name == "AFN":
            size = FORWARD_BYTES * (1 if precision == "bfloat16" else 2)
            found["of peak bandwidth"] = size * passes * per_second / (peaks["bandwidth"] * 1e12)
        return found


MACS = {"AFN": 13.108e9, "DRN": 6.700e9}  # of a forward pass at 257 × 1091; a test counts them


def peaks_of(card: str) -> dict[str, float] | None:
    """The published peaks of a card by its name; None for one that is not in PEAKS."""
    return next((peaks for name, peaks in PEAKS.items() if all(word in card for word in name.split())), None)


def recipe(*changes: str):
    """The training settings of afn.yaml with changes, such as "epochs=1"."""
    settings = config.load(Neural, ROOT / "conf" / "systems" / "afn.yaml", [f"train.{change}" for change in changes])
    return settings.train


@contextlib.contextmanager
def arithmetic(bench: Bench, name: str) -> Iterator[None]:
    """Within the block: float32, tf32 (matrix units' shortened float32) or bfloat16."""
    tf32 = name == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    try:
        with devices.arithmetic(bench.device, "bfloat16" if name == "bfloat16" else "float32"):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def made_up(count: int, seed: int = 1) -> Tiled:
    """Utterances of noise, the genuine ones a little louder in some bins."""
    random = np.random.default_rng(seed)
    labels = {f"u{i:04}": ("genuine", "spoof")[i % 2] for i in range(count)}
    features = {}
    for utt, label in labels.items():
        matrix = random.standard_normal((int(random.integers(150, 400)), BINS), dtype=np.float32)
        matrix[:, 40:80] += 0.5 * (label == "genuine")
        features[utt] = matrix
    return Tiled(Subset("bench", labels, features), FRAMES, BINS)


# (a)


def correctness(bench: Bench) -> None:
    """The networks against golden values in float64, and whether training is repeatable and can be resumed."""
    bench.append({"part": bench.part, "machine": machine(bench)})
    golden = json.loads((ROOT / "tests" / "golden" / "networks.json").read_text())
    for name in NETWORKS:
        with bench.each(f"{name}: scores"):
            scores(bench, name, golden)
    for name in NETWORKS if not bench.small else ("LCNN",):
        for precision in ("float32", "tf32", "bfloat16") if bench.cuda else ("float32",):
            with bench.each(f"{name}: three steps, {precision}"):
                three_steps(bench, name, golden, precision)
    for precision in ("auto", "float32") if not bench.small else ("float32",):
        with bench.each(f"an epoch, {precision}"):
            an_epoch(bench, precision)
    with bench.each("batches"):
        tiled = made_up(6)
        ours, theirs = tiled.resident(bench.device, float("inf")).batch([3, 0]), tiled.batch([3, 0])
        equal = torch.equal(ours[0].cpu(), theirs[0])
        bench.row("batches tiled on the device equal the host's", "yes" if equal else "no", right=equal)


def filled(name: str) -> nn.Module:
    """A network with the golden weights, float32."""
    model = NETWORKS[name][0]()
    layers = golden_weights.layers_in_order(model, golden_weights.wave_input(1).float())
    model.double()
    golden_weights.fill(layers)
    return model.float()


def scores(bench: Bench, name: str, golden: dict) -> None:
    numbers = golden["models"][NETWORKS[name][1]]["rule_R"]["float64"]
    x = golden_weights.wave_input(1).float().to(bench.device)
    model = devices.placed(filled(name), bench.device).eval()
    sides = {"": model, ", folded for scoring": for_scoring(model)}
    for precision in ("float32", "tf32", "bfloat16") if not bench.small else ("float32",):
        for way, network in sides.items():
            with torch.inference_mode(), arithmetic(bench, precision):
                error = abs(network(x).double().sigmoid().item() - numbers["score"])
            judged = {"right": error <= TOLERANCE} if precision == "float32" else {}
            bench.row(f"{name}: error of the score, {precision}{way}", error, **judged)
        if "attention" in numbers:
            with torch.inference_mode(), arithmetic(bench, precision):
                mask = model.attend(x)[0, 0].double().cpu()
            theirs = torch.tensor(numbers["attention"]["samples"], dtype=torch.float64)
            error = max(
                abs(mask[f, t] - value).item()
                for (f, t), value in zip(golden["sample_points_f_t"], theirs, strict=True)
            )
            sums = torch.tensor(numbers["attention"]["sum_over_F"], dtype=torch.float64) / BINS
            error = max(error, (mask.mean(0) - sums).abs().max().item())
            judged = {"right": error <= TOLERANCE} if precision == "float32" else {}
            bench.row(f"{name}: greatest error of the mask, {precision}", error, **judged)


def three_steps(bench: Bench, name: str, golden: dict, precision: str) -> None:
    numbers = golden["models"][NETWORKS[name][1]]["train_rule_R_float64"]
    x, y = golden_weights.wave_input(4).float(), torch.tensor([1.0, 0.0, 1.0, 0.0])
    tiled = made_up(4)
    of = "bfloat16" if precision == "bfloat16" else "float32"
    trainer = Trainer(filled(name), tiled, tiled, recipe(f"precision={of}"), 1, bench.scratch)
    trainer.model.train()
    x, y = x.to(bench.device), y.to(bench.device)
    with arithmetic(bench, "tf32" if precision == "tf32" else "float32"):
        losses = [trainer.step(x, y) for _ in range(3)]
        with torch.inference_mode():
            after = trainer.model.eval()(x).double().sigmoid().cpu()
    error = max(abs(ours - theirs) for ours, theirs in zip(losses, numbers["loss"][:3], strict=True))
    difference = (after - torch.tensor(numbers["eval_scores_after"], dtype=torch.float64)).abs().max().item()
    # Adam divides rounding noise by rounding noise where a gradient is nearly zero: only the first loss has a bound.
    first = abs(losses[0] - numbers["loss"][0])
    judged = {"right": first <= TOLERANCE} if precision == "float32" else {}
    more = {"first loss": first, "scores after": difference}
    bench.row(f"{name}: three training steps, greatest error of a loss, {precision}", error, **judged, **more)


class Interrupted(Exception):
    """Raised in the middle of an epoch."""


def an_epoch(bench: Bench, precision: str) -> None:
    """One epoch twice with one seed, and once more with an interruption."""
    name = "LCNN" if bench.small else "AFN"
    train, dev = made_up(8 if bench.small else 64, 1), made_up(2 if bench.small else 16, 2)

    def trained(folder: str, interrupt: int | None = None) -> tuple[dict, float]:
        directory = bench.scratch / precision / folder
        directory.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(1)
        changes = ["epochs=1", f"precision={precision}", *(["checkpoint_minutes=0"] if interrupt else [])]
        trainer = Trainer(NETWORKS[name][0](), train, dev, recipe(*changes), 1, directory)
        step, done = trainer.step, 0

        def counted(*batch: torch.Tensor) -> float:
            nonlocal done
            done += 1
            if done == interrupt:
                raise Interrupted
            return step(*batch)

        trainer.step = counted
        started = time.monotonic()
        with contextlib.suppress(Interrupted):
            trainer.run()
        seconds = time.monotonic() - started
        return (checkpoints.load(directory / LAST, torch.device("cpu"))["model"], seconds) if not interrupt else ({}, 0)

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        first, seconds = trained("first")
    bench.row(f"{name}: an epoch of {len(train)} utterances with `Trainer`, {precision}", seconds, "s")
    for sentence in sorted({str(warning.message).splitlines()[0][:150] for warning in heard}):
        bench.row("PyTorch warned", sentence)
    compare(bench, f"{name}: the same seed twice, {precision}", first, trained("second")[0])
    trained("resumed", interrupt=2 if bench.small else 9)
    compare(bench, f"{name}: interrupted and resumed, {precision}", first, trained("resumed")[0])


def compare(bench: Bench, what: str, first: dict, second: dict) -> None:
    equal = all(torch.equal(first[key], second[key]) for key in first)
    greatest = max((first[key].double() - second[key].double()).abs().max().item() for key in first)
    bench.row(what, "equal bytes" if equal else "not equal", right=equal, **{"greatest difference": greatest})


def machine(bench: Bench) -> dict[str, object]:
    found: dict[str, object] = {"python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__}
    found |= {"cores": len(os.sched_getaffinity(0)), "device": bench.device.type, "small": bench.small}
    if bench.cuda:
        found |= {"card": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
        found |= {"cudnn": torch.backends.cudnn.version(), "memory_gb": torch.cuda.mem_get_info()[1] / 1e9}
        x = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
        found["measured_bf16_tflops"] = 2 * 8192**3 / bench.timed(lambda: x @ x, 0.3)[0] / 1e12
        big, other = (torch.empty(2**30, device="cuda", dtype=torch.uint8).random_() for _ in range(2))
        found["measured_copy_tb_per_s"] = 2 * 2**30 / bench.timed(lambda: other.copy_(big), 0.3)[0] / 1e12
    return found


# (b)


def sizes(bench: Bench) -> tuple[int, ...]:
    return (2,) if bench.small else (4, 16, 64)


def ours(bench: Bench, name: str, batch: int, precision: str) -> Trainer:
    """A trainer of a network whose batches are the whole of a made-up subset."""
    tiled = made_up(batch)
    of = "bfloat16" if precision == "bfloat16" else "float32"
    torch.manual_seed(1)
    trainer = Trainer(NETWORKS[name][0](), tiled, tiled, recipe(f"precision={of}"), 1, bench.scratch)
    trainer.model.train()
    return trainer


def stepping(trainer: Trainer) -> Callable[[], float]:
    """A whole step: gathering the batch, forward, backward, optimiser, loss."""
    return lambda: trainer.step(*trainer.train.batch(range(len(trainer.train))))


def reference(bench: Bench, name: str, batch: int) -> Callable[[], float]:
    """A step of the plain transcription, its batch copied from the host."""
    model = REFERENCES[name]().to(bench.device).train()
    optimiser = torch.optim.Adam(model.parameters(), 1e-3, amsgrad=True)
    x, y = torch.randn(batch, 1, BINS, FRAMES), torch.tensor([1.0, 0.0] * (batch // 2))

    def step() -> float:
        optimiser.zero_grad()
        loss = binary_cross_entropy_with_logits(model(x.to(bench.device)), y.to(bench.device))
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


@contextlib.contextmanager
def any_algorithm() -> Iterator[None]:
    """Within the block PyTorch may use algorithms that are not repeatable, as it does by default."""
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False


def training(bench: Bench) -> None:
    """Training steps without a compiler: the plain loop, and ours in each arithmetic."""
    base: dict[str, float] = {}

    def measured(name: str, batch: int, side: str, precision: str, make: Callable[[], Callable[[], float]]) -> None:
        what = f"{name}, batch {batch}: {side}, {precision}"
        with bench.each(what):
            seconds, memory = bench.timed(make())
            speed = batch / seconds
            base.setdefault(name, speed)  # the first: the plain loop at the smallest batch
            more = {"times the plain loop": speed / base[name], "peak GB": memory}
            bench.row(what, speed, "utt/s", **more, **bench.limits(name, precision, speed, 3))

    for batch in sizes(bench):
        for name in ("AFN", "DRN") if not bench.small else ("DRN",):
            with any_algorithm():
                with arithmetic(bench, "float32"):
                    measured(name, batch, "plain", "float32", lambda n=name, b=batch: reference(bench, n, b))
                if not bench.small:
                    with arithmetic(bench, "tf32"):
                        measured(name, batch, "plain", "tf32", lambda n=name, b=batch: reference(bench, n, b))
            for precision in ("float32", "tf32", "bfloat16") if not bench.small else ("float32",):

                def make(n: str = name, b: int = batch, p: str = precision) -> Callable[[], float]:
                    step = stepping(ours(bench, n, b, p))
                    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = p == "tf32"
                    return step

                measured(name, batch, "ours", precision, make)
                torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

            def free(n: str = name, b: int = batch) -> Callable[[], float]:
                step = stepping(ours(bench, n, b, "bfloat16"))
                torch.use_deterministic_algorithms(False)
                torch.backends.cudnn.benchmark = True
                return step

            with any_algorithm():
                measured(name, batch, "ours, any algorithm", "bfloat16", free)


def combinations(bench: Bench) -> list[tuple[str, int, str]]:
    """What is compiled: network, batch, mode; the most wanted first."""
    if bench.small:
        return [("LCNN", 2, "default")]
    return [(name, batch, mode) for batch in sizes(bench) for name in ("AFN", "DRN") for mode in MODES]


def compiled_trainer(bench: Bench, name: str, batch: int, mode: str) -> Trainer:
    trainer = ours(bench, name, batch, "bfloat16" if bench.cuda else "float32")
    trainer.forward = torch.compile(trainer.model, mode=mode, dynamic=False)
    return trainer


def warm(bench: Bench) -> None:
    """Fill the cache of compiled kernels, each combination a process of low priority: compilation is the CPU's work."""
    environment = os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *sys.argv, "--combination"]
    running = []
    for name, batch, mode in combinations(bench):
        while len(running) >= 8:
            running = [process for process in running if process.poll() is None]
            time.sleep(0.2)
        running.append(subprocess.Popen(["nice", *command, name, str(batch), mode], env=environment))
    for process in running:
        process.wait()


def compiled(bench: Bench) -> None:
    """Training steps under torch.compile, from the cache that `warm` filled."""
    for name, batch, mode in combinations(bench):
        what = f"{name}, batch {batch}: compiled, {mode}, {'bfloat16' if bench.cuda else 'float32'}"
        with bench.each(what):
            torch._dynamo.reset()
            started = time.monotonic()
            step = stepping(compiled_trainer(bench, name, batch, mode))
            step()
            compiling = time.monotonic() - started
            seconds, memory = bench.timed(step)
            more = {"peak GB": memory, "s to start": compiling}
            bench.row(what, batch / seconds, "utt/s", **more, **bench.limits(name, "bfloat16", batch / seconds, 3))


def side_by_side(bench: Bench) -> None:
    """1, 2, 4 and 8 trainings at once, as separate processes."""
    seconds = 1.0 if bench.small else 3.0
    counts = (1, 2) if bench.small else (1, 2, 4, 8)
    ways = ["eager"] if bench.small else ["eager", "default"]
    for way in ways:
        with bench.each(f"side by side, {way}"):
            alone = 0.0
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            command = [sys.executable, *sys.argv, "--worker", way]
            workers = [
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
                for _ in range(counts[-1])
            ]
            try:
                for worker in workers:
                    ask(worker)
                for count in counts:
                    for worker in workers[:count]:
                        worker.stdin.write(f"{seconds}\n")
                        worker.stdin.flush()
                    speed = sum(ask(worker) for worker in workers[:count])
                    alone = alone or speed
                    what = f"{network(bench)}, batch {sizes(bench)[0]}: {count} trainings at once, {way}, bfloat16"
                    bench.row(what, speed, "utt/s", **{"times one": speed / alone})
            finally:
                for worker in workers:
                    worker.kill()
                    worker.wait()


def network(bench: Bench) -> str:
    return "LCNN" if bench.small else "AFN"


def ask(worker: subprocess.Popen) -> float:
    """The next number of a worker. Its libraries may print other lines."""
    for line in worker.stdout:
        if line.startswith("answer "):
            return float(line.split()[1])
    raise RuntimeError("a training ended early")


def work(bench: Bench, way: str) -> None:
    """Train for as many seconds as each line of stdin says; answer with utterances per second."""
    batch = sizes(bench)[0]
    trainer = ours(bench, network(bench), batch, "bfloat16")
    if way != "eager":
        trainer.forward = torch.compile(trainer.model, mode=way, dynamic=False)
    step = stepping(trainer)
    for _ in range(1 if bench.small else 4):
        step()
    print("answer 0", flush=True)
    for line in sys.stdin:
        started, count = time.monotonic(), 0
        while time.monotonic() - started < float(line):
            step()
            count += batch
        print(f"answer {count / (time.monotonic() - started)}", flush=True)


def scoring(bench: Bench) -> None:
    """Scores per second, by batch, and those of the system itself with features on the host."""
    base = 0.0
    batches = (2,) if bench.small else (4, 1, 16, 64)
    for name in ("AFN", "DRN") if not bench.small else ("DRN",):
        base = 0.0
        for batch in batches:
            x = torch.randn(batch, 1, BINS, FRAMES, device=bench.device)
            plain = REFERENCES[name]().to(bench.device).eval()
            folded = for_scoring(devices.placed(NETWORKS[name][0](), bench.device))
            for side, model in {"plain": plain, "ours": folded}.items():
                for precision in ("float32", "tf32", "bfloat16") if not bench.small else ("float32",):
                    what = f"{name}, scoring at batch {batch}: {side}, {precision}"
                    with bench.each(what), torch.inference_mode(), arithmetic(bench, precision):
                        seconds, memory = bench.timed(lambda m=model, x=x: m(x).tolist(), 0.6)
                        base = base or batch / seconds
                        more = {"times the plain loop": batch / seconds / base, "peak GB": memory}
                        limits = bench.limits(name, precision, batch / seconds, 1)
                        bench.row(what, batch / seconds, "utt/s", **more, **limits)
    with bench.each("NeuralSystem.score"):
        stem = "drn" if bench.small else "afn"
        system = registry.build(config.load(Neural, ROOT / "conf" / "systems" / f"{stem}.yaml"), 1)
        checkpoints.save(bench.scratch / BEST, {"model": system.model.state_dict()})
        system.load(bench.scratch)
        subset = made_up(4 if bench.small else 512).subset
        system.score(subset)
        started = time.monotonic()
        system.score(subset)
        count = len(subset.labels)
        bench.row(f"{stem}: `NeuralSystem.score`, features on the host", count / (time.monotonic() - started), "utt/s")


# (c)


def precision(bench: Bench) -> None:
    """Dev EERs after training in float32 and in bfloat16, three seeds each, on the simulated corpus."""
    path = bench.data / "features.npz"
    if not path.is_file():
        raise SystemExit(f"{path}: no such file. Run python bench/gpu_prepare.py first.")
    train, dev = (packed(path, name, 3 if bench.small else None) for name in ("train", "dev"))
    seeds, epochs = ((1,), 1) if bench.small else ((1, 2, 3), 4)
    model = LightCNN if bench.small else AttentiveFilteringNetwork
    means = {}
    for of in ("float32", "bfloat16"):
        found = []
        for seed in seeds:
            what = f"dev EER, {of}, seed {seed}"
            with bench.each(what):
                directory = bench.scratch / of / str(seed)
                directory.mkdir(parents=True)
                torch.manual_seed(seed)
                changes = (f"epochs={epochs}", f"precision={of}")
                trainer = Trainer(model(), train, dev, recipe(*changes), seed, directory)
                started = time.monotonic()
                trainer.run()
                found.append(trainer.position.best_eer)
                course = " ".join(f"{row['dev_eer']:.1f}" for row in trainer.position.history)
                bench.row(what, found[-1], "%", epochs=course, seconds=time.monotonic() - started)
        if found:
            means[of] = statistics.mean(found)
            spread = statistics.stdev(found) if len(found) > 1 else 0.0
            bench.row(f"dev EER, {of}, mean of {len(found)} seeds", means[of], "%", deviation=spread)
    if len(means) == 2:
        bench.row("dev EER, bfloat16 less float32", means["bfloat16"] - means["float32"], "points")


def packed(path: Path, name: str, most: int | None) -> Tiled:
    """A subset of the archive that gpu_prepare.py wrote; with `most`, as many utterances of each class at the most."""
    with np.load(path) as archive:
        lengths, genuine, values = (archive[f"{name}_{part}"] for part in ("lengths", "genuine", "values"))
    ends = np.cumsum(lengths)
    labels, features = {}, {}
    for place, (end, length, real) in enumerate(zip(ends, lengths, genuine, strict=True)):
        label = "genuine" if real else "spoof"
        if most and list(labels.values()).count(label) >= most:
            continue
        labels[f"u{place:04}"] = label
        features[f"u{place:04}"] = values[end - length : end].astype(np.float32)
    return Tiled(Subset(name, labels, features), FRAMES, BINS)


# (d)


def classical(bench: Bench) -> None:
    """Expectation-maximisation and i-vectors on the device, beside the CPU of the same machine."""
    random = np.random.default_rng(1)
    count, dims = (2000, 20) if bench.small else (200_000, 60)
    frames = random.standard_normal((count, dims)).astype(np.float32) + random.integers(0, 3, (count, 1))
    frames = frames.astype(np.float32)
    for kind, components in (("diagonal", 16 if bench.small else 512), ("full", 4 if bench.small else 64)):
        reached = {}
        for where in dict.fromkeys(("cpu", bench.device.type)):
            with bench.each(f"GMM, {kind}, {where}"):
                matrices = [torch.tensor(part, device=where) for part in np.array_split(frames, 100)]
                start = DiagonalGMM.sampled(torch.from_numpy(frames[:20_000]), components, 1)
                model = start if kind == "diagonal" else FullGMM.from_diagonal(start)
                model.fit(matrices, 1, 0.0)  # warm
                started = time.monotonic()
                model.fit(matrices, 4, 0.0)
                seconds = (time.monotonic() - started) / 3
                reached[where] = model.trace[-1]
                error = abs(reached[where] - reached["cpu"])
                what = f"EM, {components} {kind} components, {count} frames × {dims}: {where}"
                bench.row(what, 1000 * seconds, "ms", right=error < 1e-3, **{"log-likelihood differs": error})
    ubm = FullGMM.from_diagonal(DiagonalGMM.sampled(torch.from_numpy(frames), 8 if bench.small else 128, 1))
    utterances = np.array_split(frames[: (8 if bench.small else 64) * 200], 8 if bench.small else 64)
    vectors = {}
    for where in dict.fromkeys(("cpu", bench.device.type)):
        with bench.each(f"i-vectors, {where}"):
            extractor = IVectorExtractor.sampled(ubm, 10 if bench.small else 200, 1).to(where)
            there = [torch.tensor(matrix, device=where) for matrix in utterances]
            vectors[where] = extractor.extract(there).cpu()
            started = time.monotonic()
            extractor.extract(there).cpu()
            seconds = (time.monotonic() - started) / len(there)
            error = (vectors[where] - vectors["cpu"]).abs().max().item()
            more = {"right": error < 1e-6, "greatest difference": error}
            bench.row(f"an i-vector, {ubm.components} full components: {where}", 1000 * seconds, "ms", **more)


PARTS = (correctness, precision, training, side_by_side, scoring, compiled, classical, warm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=[part.__name__ for part in PARTS])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--worker", metavar="WAY")
    parser.add_argument("--combination", nargs=3, metavar=("NETWORK", "BATCH", "MODE"))
    chosen = parser.parse_args()
    bench = Bench(chosen.part, chosen.device, chosen.rows, chosen.data, chosen.small)
    if chosen.worker:
        work(bench, chosen.worker)
    elif chosen.combination:
        name, batch, mode = chosen.combination
        step = stepping(compiled_trainer(bench, name, int(batch), mode))
        for _ in range(3):
            step()
    else:
        next(part for part in PARTS if part.__name__ == chosen.part)(bench)


if __name__ == "__main__":
    main()
