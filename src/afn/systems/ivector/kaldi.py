"""Background model, extractor and i-vectors by Kaldi's own programs, where they are installed.

Source: Kaldi's sre08 recipe (train_diag_ubm.sh, train_full_ubm.sh, train_ivector_extractor.sh, extract_ivectors.sh):
its programs, their order and their options. The data differ: features without deltas, sliding mean or voice activity
detection, and every frame, where the recipe trains its background models on every fifth.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import numpy as np

from afn.common import files
from afn.common.errors import RETRAIN, UserError
from afn.common.progress import Progress
from afn.features import archives, kaldi_programs
from afn.systems.ivector.settings import IVectors
from afn.systems.subset import Subset

PROGRAMS = (
    "gmm-global-init-from-feats",
    "gmm-gselect",
    "gmm-global-acc-stats",
    "gmm-global-sum-accs",
    "gmm-global-est",
    "gmm-global-to-fgmm",
    "fgmm-global-to-gmm",
    "fgmm-global-acc-stats",
    "fgmm-global-sum-accs",
    "fgmm-global-est",
    "ivector-extractor-init",
    "fgmm-global-gselect-to-post",
    "ivector-extractor-acc-stats",
    "ivector-extractor-sum-accs",
    "ivector-extractor-est",
    "ivector-extract",
)
LOGS, MAKING = "log", "making-"
MODELS = ("final.ubm", "final.dubm", "final.ie")  # what extraction needs

PARTS = 8  # of the utterances, and threads. Fixed, so that every machine sums in the same order.
INITIAL_FRAMES = 500_000  # in memory during the first iterations
INITIAL_ITERATIONS = 20
FRAMES_PER_GAUSSIAN = 10  # least number in the first iterations: Kaldi asserts it
SELECTED = {"diagonal": 30, "full": 20}  # Gaussians per frame in the training of the background models
LEAST_WEIGHT = "--min-gaussian-weight=0.0001"

Command = list[str]

log = logging.getLogger("train")


class KaldiIVectors:
    """A background model and an extractor that Kaldi's programs train and use.

    Args:
        settings: the row's YAML. Its variance floor is a variance here, as in Kaldi, not a fraction of one.
        seed: determines the initial frames of the background model. The random start of the extractor is the same for
            every seed: ivector-extractor-init has no option for it.
        directory: of the models (MODELS) and the programs' logs (LOGS).
    """

    def __init__(self, settings: IVectors, seed: int, directory: Path):
        self.settings, self.seed, self.directory = settings, seed, directory
        self.programs: dict[str, str] = {}
        self.work = directory / "work"
        self.making = self.work  # programs write here; complete files are moved out
        self.ubm, self.selector, self.extractor = (directory / name for name in MODELS)

    def fit(self, subset: Subset) -> None:
        """Train both on a subset, from the last finished model of an earlier run."""
        if not self.extractor.is_file():  # written last
            lists, frames = self._begin(subset, self.work)
            self._full(self._diagonal(lists, frames), lists)
            self._extractor(lists)
        shutil.rmtree(self.work, ignore_errors=True)
        log.info(f"background model and extractor by Kaldi's programs; their logs are in {self.directory / LOGS}")

    def state(self) -> dict[str, str]:
        """The SHA-256 of every model."""
        return {name: files.sha256(self.directory / name) for name in MODELS}

    def take(self, state: Mapping[str, str]) -> None:
        """Check that the models are those of `state`; UserError if they are not."""
        for name in MODELS:
            path = self.directory / name
            if not path.is_file() or files.sha256(path) != state[name]:
                raise UserError(f"{path}: not the model that the back-end was trained on. {RETRAIN}")

    def extract(self, subset: Subset) -> np.ndarray:
        """The i-vectors of a subset, float64[U × dimension], in the order of its utterances."""
        found: dict[str, np.ndarray] = {}
        self.directory.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".ivectors-", dir=self.directory) as folder:
            lists, _ = self._begin(subset, Path(folder))
            parts = [Path(folder) / f"ivectors.{part}.ark" for part in range(len(lists))]

            def extraction(part: int, out: Path) -> list[Command]:
                last = ["ivector-extract", str(self.extractor), lists[part], "ark,s,cs:-", f"ark:{out}"]
                return [*self._posteriors(lists[part], "ark:-"), last]

            with Progress(f"i-vectors {subset.name}", len(parts), "parts") as progress:
                self._make_parts(parts, extraction, progress.advance)
            for part in parts:
                found.update(archives.read_vectors(part))
        if missing := [utt for utt in subset.utterances if utt not in found]:
            raise UserError(
                f"Kaldi gave {len(found)} of {len(subset.utterances)} i-vectors; {missing[0]} is missing. "
                f"See {self.directory / LOGS}."
            )
        return np.stack([found[utt] for utt in subset.utterances]).astype(np.float64)

    def _begin(self, subset: Subset, folder: Path) -> tuple[list[str], int]:
        """Write the features into `folder`. Returns the rspecifiers of their parts and the number of frames."""
        self.programs = kaldi_programs.require(PROGRAMS, "programs=kaldi", "use programs=native")
        for path in (self.directory / LOGS, folder):
            path.mkdir(parents=True, exist_ok=True)
        # A new name in every run, old ones are deleted: a program that outlived a killed run cannot interfere.
        for left in folder.glob(f"{MAKING}*"):
            shutil.rmtree(left)
        self.making = Path(mkdtemp(prefix=MAKING, dir=folder))
        frames = 0

        def matrices() -> Iterator[tuple[str, np.ndarray]]:
            nonlocal frames
            for utt in sorted(subset.utterances, key=str.encode):
                matrix = subset.features[utt]
                frames += len(matrix)
                yield utt, matrix

        archives.write(folder, matrices(), str(folder / "feats.ark"))
        lines = (folder / "feats.scp").read_text(encoding="utf-8").splitlines(keepends=True)
        parts = min(PARTS, len(lines))
        for part in range(parts):
            text = "".join(lines[len(lines) * part // parts : len(lines) * (part + 1) // parts])
            files.write_text(folder / f"feats.{part}.scp", text)
        return [f"scp:{folder / f'feats.{part}.scp'}" for part in range(parts)], frames

    def _diagonal(self, lists: list[str], frames: int) -> Path:
        """Train the diagonal background model: random frames as means, EM with splitting, EM."""
        of = self.settings.ubm
        models = [self.work / f"diagonal.{i}.dubm" for i in range(of.iterations + 1)]
        # Kaldi adds (components - first) / (iterations / 2) Gaussians per iteration, rounded down. With 0 it never
        # reaches `components`.
        first = of.components // 2 if 2 * (of.components - of.components // 2) >= INITIAL_ITERATIONS else of.components
        if min(frames, INITIAL_FRAMES) < FRAMES_PER_GAUSSIAN * first:
            raise UserError(
                f"ubm.components: {frames} frames are too few for {first} initial Gaussians; Kaldi needs at least "
                f"{FRAMES_PER_GAUSSIAN * first}. Use fewer components."
            )
        floor = f"--min-variance={of.variance_floor}"
        begin = ["gmm-global-init-from-feats", f"--num-threads={PARTS}", f"--num-frames={INITIAL_FRAMES}"]
        begin += [LEAST_WEIGHT, floor, f"--srand={self.seed}"]
        begin += [f"--num-gauss={of.components}", f"--num-gauss-init={first}", f"--num-iters={INITIAL_ITERATIONS}"]
        self._make(models[0], lambda out: [*begin, f"scp:{self.work / 'feats.scp'}", str(out)])
        self._mixture("gmm-global", models, models[0], SELECTED["diagonal"], floor, lists)
        return models[-1]

    def _full(self, diagonal: Path, lists: list[str]) -> None:
        """Train the background model with full covariances, from the diagonal one, and write its diagonals."""
        of = self.settings.ubm
        models = [*(self.work / f"full.{i}.ubm" for i in range(of.full_iterations)), self.ubm]
        self._make(models[0], lambda out: ["gmm-global-to-fgmm", str(diagonal), str(out)])
        if of.full_iterations:
            selector = self.work / "full.dubm"
            self._make(selector, lambda out: ["fgmm-global-to-gmm", str(models[0]), str(out)])
            floor = f"--variance-floor={of.variance_floor}"
            self._mixture("fgmm-global", models, selector, SELECTED["full"], floor, lists)
        self._make(self.selector, lambda out: ["fgmm-global-to-gmm", str(self.ubm), str(out)])

    def _mixture(
        self, kind: str, models: list[Path], selector: Path, selected: int, floor: str, lists: list[str]
    ) -> None:
        """EM of a mixture with the programs `kind`-*; `selector` selects the Gaussians of each frame, once."""

        def select(part: int, out: Path) -> list[Command]:
            return [["gmm-gselect", f"--n={self._at_most(selected)}", str(selector), lists[part], f"ark:{out}"]]

        def accumulate(model: Path, part: int, alignment: Path, out: Path) -> Command:
            return [f"{kind}-acc-stats", f"--gselect=ark,s,cs:{alignment}", str(model), lists[part], str(out)]

        def estimate(model: Path, total: Path, out: Path, last: bool) -> Command:
            # Removing a Gaussian makes the selection invalid: only in the last iteration.
            options = [f"--remove-low-count-gaussians={str(last).lower()}", LEAST_WEIGHT, floor]
            return [f"{kind}-est", *options, str(model), str(total), str(out)]

        def add(parts: list[Path], out: Path) -> Command:
            return [f"{kind}-sum-accs", str(out), *map(str, parts)]

        self._em(kind, models, len(lists), select, accumulate, add, estimate)

    def _extractor(self, lists: list[str]) -> None:
        of = self.settings.extractor
        models = [*(self.work / f"{i}.ie" for i in range(of.iterations)), self.extractor]
        begin = ["ivector-extractor-init", f"--ivector-dim={of.dimension}", "--use-weights=false", str(self.ubm)]
        self._make(models[0], lambda out: [*begin, str(out)])

        def align(part: int, out: Path) -> list[Command]:
            return self._posteriors(lists[part], f"ark:{out}")

        def accumulate(model: Path, part: int, alignment: Path, out: Path) -> Command:
            # With several threads the order of summation is random.
            begin = ["ivector-extractor-acc-stats", "--num-threads=1", str(model), lists[part]]
            return [*begin, f"ark,s,cs:{alignment}", str(out)]

        def add(parts: list[Path], out: Path) -> Command:
            return ["ivector-extractor-sum-accs", *map(str, parts), str(out)]

        def estimate(model: Path, total: Path, out: Path, last: bool) -> Command:
            return ["ivector-extractor-est", f"--num-threads={PARTS}", str(model), str(total), str(out)]

        self._em("ivector-extractor", models, len(lists), align, accumulate, add, estimate)

    def _posteriors(self, features: str, out: str) -> list[Command]:
        of = self.settings.extractor
        selected = self._at_most(of.selected or self.settings.ubm.components)
        return [
            ["gmm-gselect", f"--n={selected}", str(self.selector), features, "ark:-"],
            [
                "fgmm-global-gselect-to-post",
                f"--min-post={of.min_posterior}",
                str(self.ubm),
                features,
                "ark,s,cs:-",
                out,
            ],
        ]

    def _at_most(self, selected: int) -> int:
        return min(selected, self.settings.ubm.components)

    def _em(
        self,
        kind: str,
        models: list[Path],
        parts: int,
        align: Callable[[int, Path], list[Command]],
        accumulate: Callable[[Path, int, Path, Path], Command],
        add: Callable[[list[Path], Path], Command],
        estimate: Callable[[Path, Path, Path, bool], Command],
    ) -> None:
        """Train from models[0] to models[-1], one iteration each. Finished models are kept."""
        if models[-1].is_file():
            return
        alignments = [self.work / f"{kind}.{part}.alignment" for part in range(parts)]
        self._make_parts(alignments, align)
        with Progress(f"train {kind}", len(models) - 1, "iterations") as progress:
            for number, (model, new) in enumerate(pairwise(models), 1):
                if not new.is_file():
                    sums = [self.work / f"{kind}.{number}.{part}.acc" for part in range(parts)]
                    total = self.work / f"{kind}.{number}.acc"

                    def part_of(part: int, out: Path, model: Path = model) -> list[Command]:
                        return [accumulate(model, part, alignments[part], out)]

                    self._make_parts(sums, part_of)
                    self._make(total, partial(add, sums))

                    def estimated(out: Path, model: Path = model, total: Path = total, new: Path = new) -> Command:
                        return estimate(model, total, out, new == models[-1])

                    self._make(new, estimated)
                    for path in (*sums, total):
                        path.unlink()
                progress.advance()
        for path in alignments:
            path.unlink()

    def _make(self, path: Path, command: Callable[[Path], Command]) -> None:
        self._make_parts([path], lambda _, out: [command(out)])

    def _make_parts(
        self,
        paths: Sequence[Path],
        commands: Callable[[int, Path], list[Command]],
        after: Callable[[], None] | None = None,
    ) -> None:
        """Run a chain of programs for every missing file, as many at once as there are cores.

        `commands(part, out)` writes the file. Once the chain has succeeded, the file gets its name; `after` is called.
        """
        missing = [(part, path) for part, path in enumerate(paths) if not path.is_file()]
        cores = os.cpu_count() or 1
        for start in range(0, len(missing), cores):
            with ExitStack() as running:
                chains = []
                for part, path in missing[start : start + cores]:
                    out = self.making / path.name
                    chain = kaldi_programs.chain(self.programs, commands(part, out), self.directory / LOGS / path.name)
                    chains.append((running.enter_context(chain), out, path))
                for chain, out, path in chains:
                    chain.wait()
                    if not out.is_file():
                        raise UserError(f"{path}: Kaldi left it out: {chain.complaint()}")
                    with out.open("rb") as file:
                        os.fsync(file.fileno())
                    out.replace(path)
                    if after:
                        after()
