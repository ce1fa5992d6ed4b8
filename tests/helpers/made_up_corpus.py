"""A corpus with made-up scores: data/ and exp/ as stages -2 to 2 leave them, for tests of stage 3."""

import json
import sys

import numpy as np

import evaluate
from afn.common import config, files, record
from afn.common.paths import ROOT
from afn.corpora import datadir
from afn.corpora.datadir import Utterance
from afn.experiment import provenance
from afn.features import front_end
from afn.metrics import score_files
from afn.metrics.trials import Trials
from afn.report import evaluation, html
from afn.systems import registry

BLANK = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1"  # as much of a PNG as tells its size
SIZES = {"train": (4, 4), "dev": (40, 50), "eval": (60, 90)}
AFN = "AF(Sigmoid)-DRN(ReLU)"


class Tree:
    """A corpus' data/ and exp/ with made-up scores."""

    def __init__(self, root, kind="datadir", sizes=SIZES):
        self.root, self.name = root, "made_up"
        own = {"datadir": "train: nowhere", "asvspoof2017": "root: nowhere"}[kind]
        (root / "made_up.yaml").write_text(f"kind: {kind}\nname: made_up\n{own}\n")
        self.labels = {}
        self.exp = root / "exp" / "made_up"
        for subset, (genuine, spoof) in sizes.items():
            labels = ["genuine"] * genuine + ["spoof"] * spoof
            self.labels[subset] = {f"{subset[0].upper()}_{i}": label for i, label in enumerate(labels)}
            listed = [self.utterance(utt, label) for utt, label in self.labels[subset].items()]
            datadir.write(root / "data" / "made_up" / subset, listed)
        record.write(root / "data" / "made_up", {"kind": "made up"})

    @staticmethod
    def utterance(utt, label):
        """Six speakers; replays in four configurations."""
        number = int(utt.split("_")[1])
        condition = (f"E0{number % 2}", "P01", f"R0{number % 4}") if label == "spoof" else ("-", "-", "-")
        conditions = dict(zip(datadir.CONDITIONS, condition, strict=True))
        return Utterance(utt, f"/nowhere/{utt}.wav", f"{utt[0]}{number % 6}", label, conditions)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def system(self, name, distance, seeds=(1, 2, 3), title="", paper=None, averaged=True, recipe="afn", **changes):
        """Scores of a system on dev and eval, per seed and averaged; `changes` are to values of the recipe's YAML."""
        content = config.merge(config.read(ROOT / "conf" / "systems" / f"{recipe}.yaml"), changes)
        settings = config.build(registry.settings_type(), content | {"title": title, "paper": paper or {}}, name)
        for seed in seeds:
            self.seed(name, seed, settings, distance)
        if averaged:
            self.average(name, seeds)

    def seed(self, name, seed, settings, distance):
        folder = self.exp / name / f"seed{seed}"
        description = front_end.describe(settings.features, backend="native")
        identity = {**provenance.asked(settings, description), "data": {}, "seed": seed}
        provenance.write(folder, name, settings, identity, {})
        for subset in self.scored:
            rng = np.random.default_rng([seed, len(subset), round(100 * distance)])
            logits = {u: rng.normal(distance * (y == "genuine"), 1) for u, y in self.labels[subset].items()}
            score_files.write(folder / "scores" / f"{subset}.txt", logits)
        record.write(folder / "scores", {"identity": {}})

    @property
    def scored(self):
        return [subset for subset in ("dev", "eval") if subset in self.labels]

    def average(self, name, seeds):
        """Average sigmoids over `seeds`, as stage 2 does."""
        out, folders = self.exp / name / "scores", {seed: self.exp / name / f"seed{seed}" for seed in seeds}
        for subset in self.scored:
            runs = [score_files.read(folder / "scores" / f"{subset}.txt") for folder in folders.values()]
            mean = {utt: np.mean([1 / (1 + np.exp(-run[utt])) for run in runs]) for utt in self.labels[subset]}
            score_files.write(out / f"{subset}.txt", mean)
        identity = {
            "trained": provenance.read(folders[seeds[0]]).shared,
            "averages": "sigmoids",
            "seeds": {
                str(seed): {subset: files.sha256(folder / "scores" / f"{subset}.txt") for subset in self.scored}
                for seed, folder in folders.items()
            },
        }
        record.write(out, {"identity": identity})

    def row(self, name, title, paper="{}"):
        self.write(f"conf/systems/{name}.yaml", f"kind: neural\ntitle: {title}\npaper: {paper}\n")

    def fusion(self, name, members, paper="{}"):
        self.write(f"conf/fusion/{name}.yaml", f"title: fusion {name}\nmembers: {members}\npaper: {paper}\n")

    def trials(self, subset):
        return Trials.of(datadir.read(self.root / "data" / "made_up" / subset))

    def classes(self, file, subset):
        found = score_files.read(self.exp / file / f"{subset}.txt")
        return score_files.join(found, self.labels[subset])

    @property
    def arguments(self):
        folders = ["--data", self.root / "data", "--exp", self.root / "exp"]
        return ["--corpus", self.root / "made_up.yaml", *folders, "--resamples", "50"]

    @property
    def json(self):
        return json.loads((self.exp / "results.json").read_text(encoding="utf-8"))

    @property
    def page(self):
        return (self.exp / "RESULTS.md").read_text(encoding="utf-8")

    @property
    def report(self):
        return (self.exp / "report.html").read_text(encoding="utf-8")


def row(page, title, table=0):
    """The cells of a system's line in the table-th table that has one."""
    lines = [line for line in page.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in lines[table].strip("|").split("|")]


def sure(figure, interval):
    return f"{figure:.2f} [{interval['low']:.2f}, {interval['high']:.2f}]"


def two_systems(root):
    made = Tree(root)
    made.system("drn", 1.2, title="DRN(ReLU)", paper={"dev": 6.69, "eval": 10.30})
    made.system("afn", 1.7, title=AFN, paper={"dev": 6.55, "eval": 8.99})
    return made


def without_figures(monkeypatch):
    """Leave the figures of stage 3 blank: they take seconds."""
    for name in ("det_png", "histograms_png", "curves_png"):
        monkeypatch.setattr(html.plots, name, lambda panels: BLANK)


def runner(monkeypatch, capsys, root, drawn=True):
    """A function that runs evaluate.py within this process, with the rows of `root`/conf, and returns its stdout.

    Unless `drawn`, the figures are blank.
    """
    monkeypatch.setattr(evaluation, "CONF", root / "conf")
    if not drawn:
        without_figures(monkeypatch)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *map(str, arguments)])
        evaluate.main()
        return capsys.readouterr().out

    return call
