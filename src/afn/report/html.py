"""report.html: the results of a corpus as one file with its figures and its style, without scripts.

Recordings and their heatmaps are not in it but linked. The same results give the same text: it contains no date.
"""

import base64
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from afn.common.labels import LABELS
from afn.experiment import environment
from afn.report import about, plots, results, summary, tables
from afn.report.plots import Scores
from afn.report.results import Results
from afn.report.tables import ABSENT, Cell, Grid
from afn.systems.neural import heatmaps
from afn.systems.neural.maps import Maps

PER_CLASS = 2  # utterances whose heatmaps are shown
PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib")  # on which the figures of this page depend


@dataclass(frozen=True, eq=False)
class Exhibits:
    """What the page shows besides figures of scores; systems are named by their titles."""

    det: bytes | None = None  # the PNG
    panels: Mapping[str, Sequence[Scores]] = field(default_factory=dict)  # subset -> scores of the histograms
    maps: Mapping[str, Maps] = field(default_factory=dict)
    curves: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]] = field(default_factory=dict)  # by seed, column
    environments: Mapping[str, Mapping[int, Mapping[str, Any]]] = field(default_factory=dict)  # by seed


@dataclass(frozen=True)
class Picture:
    """A PNG within the page. On a narrow page it shrinks to `narrowest` pixels, then scrolls."""

    data: str
    description: str  # for readers who cannot see it
    caption: str
    width: int
    height: int
    narrowest: int


def page(of: Results, exhibits: Exhibits) -> str:
    """The text of report.html."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return templates.get_template("report.html.j2").render(
        results=of,
        analysis=of.analysis,
        tables=tables,
        about=about,
        summary=summary.sentences(of),
        labels=LABELS,
        scores=list(_scores(of, exhibits)),
        masks=list(_masks(exhibits.maps)),
        profiles=_profiles(exhibits.maps),
        maps=exhibits.maps,
        named=results.named,
        curves=_curves(exhibits),
        environments=_environments(exhibits),
        packages=", ".join(f"{package} {environment.version_of(package)}" for package in PACKAGES),
    )


def _picture(png: bytes, description: str, caption: str, scale: float = 1.5) -> Picture:
    """`scale` pixels of the PNG are one of the screen."""
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))  # of the header chunk
    sizes = round(width / scale), round(height / scale), round(0.6 * width / scale)
    return Picture(base64.b64encode(png).decode(), description, caption, *sizes)


def _scores(of: Results, exhibits: Exhibits) -> Iterator[Picture]:
    if exhibits.det:
        yield _picture(
            exhibits.det,
            "DET curves",
            "Misses against false alarms of the averaged scores on normal-deviate axes; the points are the EERs. "
            "Fusions are shown on eval only, because they are trained on dev.",
        )
    fused = {found.title for found in of.analysis.fusions}
    for wanted, caption in (
        (False, "Averaged scores of both classes; higher means more genuine."),
        (True, "Log-likelihood ratios of the fusions; values above 0 support genuine."),
    ):
        panels = {s: [one for one in every if (one.title in fused) == wanted] for s, every in exhibits.panels.items()}
        if panels := {subset: some for subset, some in panels.items() if some}:
            yield _picture(plots.histograms_png(panels), "Histograms of the scores of both classes", caption)


def _masks(maps: Mapping[str, Maps]) -> Iterator[Picture]:
    for utt in heatmaps.common(maps, PER_CLASS) if maps else ():
        label = next(iter(maps.values())).labels[utt]
        png = heatmaps.side_by_side_png(maps, utt)
        yield _picture(png, f"Attention on {utt}", f"{utt}, {label}.", scale=1.1)


def _profiles(maps: Mapping[str, Maps]) -> Picture | None:
    if not any(found.profiles for found in maps.values()):
        return None
    return _picture(
        heatmaps.profiles_png(maps),
        "Mean attention over frequency of both classes",
        "The mask's mean over time, averaged over utterances (number in brackets), ± sd. A softmax over time adds up "
        "to 1 in every frequency bin, so its mean over time is always flat.",
        scale=1.1,
    )


def _curves(exhibits: Exhibits) -> Picture | None:
    if not exhibits.curves:
        return None
    return _picture(
        plots.curves_png(exhibits.curves),
        "Training curves",
        "Loss on train and dev, and dev EER, by epoch; one colour per seed. The epoch with the lowest dev EER is kept.",
    )


def _environments(exhibits: Exhibits) -> Grid | None:
    """Command, device, versions and commit of every seed; one row for all seeds of a system that share them."""
    rows: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for title, seeds in exhibits.environments.items():
        for seed, of in seeds.items():
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
