"""The results page on made-up tables: what it says, and that nothing in it can break it."""

from html.parser import HTMLParser

import numpy as np
import pytest

from afn.metrics import analysis, eer
from afn.metrics.analysis import Analysis, ScoredSystem
from afn.metrics.eer import Measured
from afn.metrics.fusion import FusionSettings
from afn.report import html
from afn.report.html import Exhibits
from afn.report.results import SIMULATED, Results, SystemRow
from afn.report.worst import Worst, WorstRecording

VOID = {"meta", "img", "line", "circle"}  # the last two as `<line .../>`
PAPER = {"dev": 6.55, "eval": 8.99}


class Reader(HTMLParser):
    """Reads a page, and fails where an element is not closed in its turn."""

    def __init__(self, page):
        super().__init__()
        self.open, self.rows, self.grey = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.grey.append("grey" in (dict(attributes).get("class") or "").split())

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += f" {data}" if self.rows[-1][-1] else data


def measured(eer):
    return Measured({"linear_roc": eer, "convex_hull": eer - 0.01, "official": eer + 0.01}, 0.5)


def page(rows=(), with_paper=False, found=None, remark="The remark.", worst=None, **exhibits):
    counts = {"dev": (2, 3), "eval": (4, 5000)}
    results = Results("made up", "datadir", counts, rows, with_paper, remark, found or Analysis(), worst=worst or {})
    return html.page(results, Exhibits(**exhibits))


def run(name="afn", title="AFN"):
    seeds = {subset: {1: measured(0.1), 2: measured(0.2)} for subset in ("dev", "eval")}
    return SystemRow(name, title, PAPER, seeds, {"dev": measured(0.12), "eval": measured(0.15)}, (1, 2))


def cells(html, title):
    return next(row for row in Reader(html).rows if row and row[0].startswith(title))


def test_a_row_has_seeds_mean_averages_and_the_papers_figures_and_rows_that_are_not_run_are_one_line():
    html = page([run(title='<b>"one" & two</b>')], with_paper=True)
    assert "<b>" not in html and "not run" not in html and "therefore grey" not in html and not any(Reader(html).grey)
    found = cells(html, "<b>")
    assert found[:3] == ['<b>"one" & two</b> afn', "train", "1-2"]
    assert found[3:7] == ["15.00 ± 7.07", "15.00 ± 7.07", "12.00", "15.00"] and found[-2:] == ["6.55", "8.99"]
    html = page([run(), SystemRow("lcnn", "LCNN", {"eval": 16.08}), SystemRow("gmm", "GMM")], remark=SIMULATED)
    assert "<summary>not run: lcnn, gmm</summary>" in html and html.count("not run") == 1
    assert cells(html, "LCNN") == ["LCNN lcnn", "no scores", "–", "16.08"]
    assert "cannot be compared with the paper" in html and "therefore grey" in html
    assert sum(Reader(html).grey) == 2 + 2 + 2 + 4  # heads of both tables, and their figures


def test_an_empty_corpus_has_a_page_that_says_what_is_missing():
    html = page()
    Reader(html)
    for words in ("No intervals", "No fusion is run", "No system is calibrated", "no two systems", "No attention",
                  "No averaged scores of both classes to draw", "to choose from", "No training curves"):  # fmt: skip
        assert words in html


def test_the_worst_recordings_can_be_heard_and_seen_where_their_files_exist():
    genuine = [WorstRecording("G1", "", -1.5, True, "../../data/a%20b.wav", "AFN/attention/G1.png"),
               WorstRecording("G2", "", 0.75, False, "", "")]  # fmt: skip
    recordings = {"genuine": genuine, "spoof": [WorstRecording("S'1", "E01 R02", 3, True, "file:///x/s&1.wav", "")]}
    found = Worst("eval", 0.5, "dev", recordings, {"genuine": 1, "spoof": 7}, {"genuine": 4, "spoof": 5000})
    text = page(
        [run(), run("drn", "DRN")], found=Analysis(best="DRN", judged="eval"), worst={"AFN": found, "DRN": found}
    )
    section = text[text.index('<section id="worst">') : text.index('<section id="attention">')]
    summary = "errors on eval 1 of 4 genuine, 7 of 5000 spoof (threshold 0.5, that of the EER on dev)"
    assert f"<details><summary>AFN: {summary}" in section and f"<details open><summary>DRN: {summary}" in section
    assert cells(section, "G1")[:3] == ["G1", "-1.5", "error"] and cells(section, "G2")[:3] == ["G2", "0.75", "correct"]
    assert cells(section, "S'1")[:3] == ["S'1 E01 R02", "3", "error"]
    assert section.count('<audio controls preload="none"') == 2 * 2  # of three recordings, in each system
    assert section.count('src="../../data/a%20b.wav"') == section.count('src="file:///x/s&amp;1.wav"') == 2
    assert section.count('<a href="AFN/attention/G1.png"><img') == section.count("<img") == 2
    assert "<script" not in text


@pytest.fixture(scope="module")
def analysed(crossed, noisy):
    """Three systems and two fusions on made-up trials, one member missing."""
    trials = {"dev": crossed(6, 5, genuine=6), "eval": crossed(8, 9, genuine=6)}

    def system(name, seed):
        scores = {subset: noisy(of, seed, speaker=0.4, configuration=0.4) for subset, of in trials.items()}
        return ScoredSystem(name, name.upper(), scores, {s: {1: v} for s, v in scores.items()})

    systems = [system(name, seed) for seed, name in enumerate(("a", "b", "c"))]
    fusions = {
        "pair": ("A and B", FusionSettings(title="A and B", members=["a", "b"], paper={"dev": 6.09, "eval": 8.54})),
        "lacking": ("A and X", FusionSettings(title="A and X", members=["a", "x"], paper={"eval": 8.8})),
        "all": ("everything", FusionSettings(title="everything", members="all")),
    }
    found = analysis.analyse(trials, systems, fusions, resamples=60)
    rows = []
    for of in systems:
        classes = {k: (v[trials[k].genuine], v[~trials[k].genuine]) for k, v in of.averaged.items()}
        rows.append(SystemRow(of.name, of.title, averaged={k: eer.measure(*both) for k, both in classes.items()}))
    return found, page(rows, found=found)


def test_fusions_are_marked_on_dev_and_stand_beside_the_cross_validated_figure(analysed):
    found, html = analysed
    pair = found.fusions[0]
    ratios = pair.ratios
    figures = [f"{100 * m.eers['linear_roc']:.2f}" for m in (ratios.measured["dev"], ratios.cross_validated)]
    interval = found.interval("eval", "A and B")
    shown = cells(html, "A and B")
    assert shown[1] == "a, b" and shown[2].startswith(f"{figures[0]} [") and shown[3] == figures[1]
    assert shown[4].endswith(f" [{100 * interval.low:.2f}, {100 * interval.high:.2f}]")
    assert shown[5] == f"{ratios.costs['eval'].cllr:.3f} (min {ratios.costs['eval'].min_cllr:.3f})"
    assert shown[-2:] == ["6.09", "8.54"]
    head = next(row for row in Reader(html).rows if row[0] == "fusion")
    assert head[2:4] == ["dev, trained on it\u00a0†", "dev, cross-validated"]
    assert cells(html, "A and X")[1:] == ["no averaged dev scores of x", "–", "8.80"]
    assert str(ratios.model) in html and "† Fusions are trained on dev" in html


def test_intervals_costs_differences_and_breakdown_are_those_of_the_analysis(analysed):
    found, html = analysed
    interval, cost, shown = found.interval("eval", "B"), found.calibrated["B"].costs["eval"], cells(html, "B b")
    assert shown[6].endswith(f" [{100 * interval.low:.2f}, {100 * interval.high:.2f}]")
    assert shown[7] == f"{cost.cllr:.3f} (min {cost.min_cllr:.3f})"
    boot = found.bootstraps["eval"]  # fusions and systems share the resamples
    low, high = np.quantile(boot.resampled["A and B"] - boot.resampled[found.best], [0.025, 0.975])
    assert (found.differences["A and B"].low, found.differences["A and B"].high) == pytest.approx((low, high))
    assert set(found.differences) == {"A", "B", "C", "A and B", "everything"} - {found.best}
    for title, difference in found.differences.items():
        shown = [row for row in Reader(html).rows if row[0] == title and row[1:2] and row[1][0] in "+-"]
        ends = f"[{100 * difference.low:+.2f}, {100 * difference.high:+.2f}]"
        assert [row[1] for row in shown] == [f"{100 * difference.value:+.2f} {ends}"]
    group = next(group for group in found.groups if group.code == "E03P01R01")
    figures = [f"{100 * rate:.1f}" for rate in group.eers.values()]
    assert cells(html, "E03P01R01") == ["E03P01R01", str(group.replays), *figures] and len(figures) == 5
