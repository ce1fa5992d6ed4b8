"""report.html: the results of a corpus as one file with its figures and its style, without scripts.

Recordings and their heatmaps are not in it but linked. The same results give the same text: it contains no date.
"""

import base64
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from afn.common.labels import LABELS
from afn.experiment import environment
from afn.experiment.results_tree import Experiment
from afn.report import about, plots, results, summary, tables
from afn.report.plots import Scores
from afn.report.results import Results
from afn.report.tables import ABSENT, Cell, Grid
from afn.systems.neural import heatmaps, maps
from afn.systems.neural.maps import Maps

PER_CLASS = 2  # utterances whose heatmaps are shown
PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib")  # on which the figures of this page depend


@dataclass(frozen=True)
class Picture:
    """A PNG within the page. On a narrow page it shrinks to `narrowest` pixels, then scrolls."""

    data: str
    description: str  # for readers who cannot see it
    caption: str
    width: int
    height: int
    narrowest: int


def page(
    of: Results, det: bytes | None, panels: Mapping[str, Sequence[Scores]], experiments: Mapping[str, Experiment]
) -> str:
    """The text of report.html.

    Args:
        of: the figures.
        det: a PNG of the DET curves.
        panels: subset -> scores of the histograms.
        experiments: title -> what its trainings and stage 1 have left.
    """
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    drawn = {title: maps.read(one.maps) for title, one in experiments.items() if one.maps}
    return templates.get_template("report.html.j2").render(
        results=of,
        analysis=of.analysis,
        tables=tables,
        about=about,
        summary=summary.sentences(of),
        labels=LABELS,
        scores=list(_scores(of, det, panels)),
        masks=list(_masks(drawn)),
        profiles=_profiles(drawn),
        maps=drawn,
        named=results.named,
        curves=_curves(experiments),
        environments=_environments(experiments),
        packages=", ".join(f"{package} {environment.version_of(package)}" for package in PACKAGES),
    )


def _picture(png: bytes, description: str, caption: str, scale: float = 1.5) -> Picture:
    """`scale` pixels of the PNG are one of the screen."""
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))  # of the header chunk
    sizes = round(width / scale), round(height / scale), round(0.6 * width / scale)
    return Picture(base64.b64encode(png).decode(), description, caption, *sizes)


def _scores(of: Results, det: bytes | None, panels: Mapping[str, Sequence[Scores]]) -> Iterator[Picture]:
    if det:
        yield _picture(
            det,
            "DET curves",
            "Misses against false alarms of the averaged scores on normal-deviate axes; the points are the EERs. "
            "Fusions are shown on eval only, because they are trained on dev.",
        )
    fused = {found.title for found in of.analysis.fusions}
    for wanted, caption in (
        (False, "Averaged scores of both classes; higher means more genuine."),
        (True, "Log-likelihood ratios of the fusions; values above 0 support genuine."),
    ):
        found = {s: [one for one in every if (one.title in fused) == wanted] for s, every in panels.items()}
        if found := {subset: some for subset, some in found.items() if some}:
            yield _picture(plots.histograms_png(found), "Histograms of the scores of both classes", caption)


def _masks(drawn: Mapping[str, Maps]) -> Iterator[Picture]:
    for utt in heatmaps.common(drawn, PER_CLASS) if drawn else ():
        label = next(iter(drawn.values())).labels[utt]
        png = heatmaps.side_by_side_png(drawn, utt)
        yield _picture(png, f"Attention on {utt}", f"{utt}, {label}.", scale=1.1)


def _profiles(drawn: Mapping[str, Maps]) -> Picture | None:
    if not any(found.profiles for found in drawn.values()):
        return None
    return _picture(
        heatmaps.profiles_png(drawn),
        "Mean attention over frequency of both classes",
        "The mask's mean over time, averaged over utterances (number in brackets), ± sd. A softmax over time adds up "
        "to 1 in every frequency bin, so its mean over time is always flat.",
        scale=1.1,
    )


def _curves(experiments: Mapping[str, Experiment]) -> Picture | None:
    curves = {title: one.curves for title, one in experiments.items() if one.curves}
    if not curves:
        return None
    return _picture(
        plots.curves_png(curves),
        "Training curves",
        "Loss on train and dev, and dev EER, by epoch; one colour per seed. The epoch with the lowest dev EER is kept.",
    )


def _environments(experiments: Mapping[str, Experiment]) -> Grid | None:
    """Command, device, versions and commit of every seed; one row for all seeds of a system that share them."""
    rows: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for title, experiment in experiments.items():
        for seed, of in experiment.environments.items():
            rows.setdefault((title, tuple(_environment(of))), []).append(seed)
    if not rows:
        return None
    names, kinds = ("system", "seeds", "command", "device", "versions", "commit"), ("wide code", "", "wide", "code")
    body = [
        [
            Cell(title),
            Cell(results.seed_list(seeds)),
            *(Cell(text, kind=kind) for text, kind in zip(texts, kinds, strict=True)),
        ]
        for (title, texts), seeds in rows.items()
    ]
    return Grid("Commands and versions", [Cell(name) for name in names], body, left=6)


def _environment(of: Mapping[str, Any]) -> Iterator[str]:
    """Command, device, versions and commit from an env.json, as far as it has them."""
    command = of.get("command")
    yield shlex.join(map(str, command)) if isinstance(command, list) else ABSENT
    yield str(of.get("device", ABSENT))
    packages = of.get("packages")
    versions = [f"Python {of['python']}"] if "python" in of else []
    versions += [f"{name} {number}" for name, number in packages.items()] if isinstance(packages, dict) else []
    if of.get("cuda"):
        versions.append(f"CUDA {of['cuda']}")
    yield ", ".join(versions) or ABSENT
    commit = str(of.get("commit") or ABSENT)
    yield commit[:12] + ("+" if commit.endswith("+") and len(commit) > 12 else "")
