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
from afn.report.worst import Recording, Worst

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


def test_a_row_has_seeds_mean_averages_and_the_papers_figures():
    found = cells(page([run()]), "AFN")
    assert found[:7] == ["AFN afn", "train", "1-2", "15.00 ± 7.07", "15.00 ± 7.07", "12.00", "15.00"]
    assert found[-2:] == ["6.55", "8.99"]


def test_rows_that_are_not_run_are_one_line_that_opens_to_the_papers_figures():
    html = page([run(), SystemRow("lcnn", "LCNN", {"eval": 16.08}), SystemRow("gmm", "GMM")])
    assert "<summary>not run: lcnn, gmm</summary>" in html and html.count("not run") == 1
    assert cells(html, "LCNN") == ["LCNN lcnn", "no scores", "–", "16.08"]
    assert "not run" not in page([run()])


def test_the_papers_figures_are_grey_where_they_cannot_be_compared():
    html = page([run(), SystemRow("lcnn", "LCNN", PAPER)], remark=SIMULATED)
    assert "say nothing about ASVspoof and cannot be compared with the paper" in html and "therefore grey" in html
    assert sum(Reader(html).grey) == 2 * (2 + 2)  # head and figures of both tables
    html = page([run()], with_paper=True)
    assert "therefore grey" not in html and not any(Reader(html).grey)


def test_an_empty_corpus_has_a_page_that_says_what_is_missing():
    html = page()
    Reader(html)
    for words in ("No intervals", "No fusion is run", "No system is calibrated", "no two systems", "No attention",
                  "No averaged scores of both classes to draw", "to choose from", "No training curves"):  # fmt: skip
        assert words in html


def test_names_cannot_break_the_page():
    html = page([run(title='<b>"one" & two</b>')])
    assert "<b>" not in html and cells(html, "<b>")[0] == '<b>"one" & two</b> afn'


def test_the_worst_recordings_can_be_heard_and_seen_where_their_files_exist():
    genuine = [Recording("G1", "", -1.5, True, "../../data/a%20b.wav", "AFN/attention/G1.png"),
               Recording("G2", "", 0.75, False, "", "")]  # fmt: skip
    recordings = {"genuine": genuine, "spoof": [Recording("S'1", "E01 R02", 3, True, "file:///x/s&1.wav", "")]}
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
    genuine = {subset: of.genuine for subset, of in trials.items()}
    rows = [
        SystemRow(
            s.name, s.title, averaged={k: eer.measure(v[genuine[k]], v[~genuine[k]]) for k, v in s.averaged.items()}
        )
        for s in systems
    ]
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


def test_a_single_system_has_its_interval_and_cost(analysed):
    found, html = analysed
    shown = cells(html, "B b")
    interval, cost = found.interval("eval", "B"), found.calibrated["B"].costs["eval"]
    assert shown[6].endswith(f" [{100 * interval.low:.2f}, {100 * interval.high:.2f}]")
    assert shown[7] == f"{cost.cllr:.3f} (min {cost.min_cllr:.3f})"


def test_differences_and_breakdown_are_those_of_the_analysis(analysed):
    found, html = analysed
    assert set(found.differences) == {"A", "B", "C", "A and B", "everything"} - {found.best}
    for title, difference in found.differences.items():
        shown = [row for row in Reader(html).rows if row[0] == title and row[1:2] and row[1][0] in "+-"]
        ends = f"[{100 * difference.low:+.2f}, {100 * difference.high:+.2f}]"
        assert [row[1] for row in shown] == [f"{100 * difference.value:+.2f} {ends}"]
    group = next(group for group in found.groups if group.code == "E03P01R01")
    figures = [f"{100 * rate:.1f}" for rate in group.eers.values()]
    assert cells(html, "E03P01R01") == ["E03P01R01", str(group.replays), *figures] and len(figures) == 5


class TestAnalysis:
    def test_fusions_and_systems_share_the_resamples(self, analysed):
        found, _ = analysed
        assert found.resamples == 60 and set(found.bootstraps) == {"dev", "eval"}
        boot = found.bootstraps["eval"]
        assert boot.resampled["A"] == pytest.approx(boot.resampled[analysis.key("A", 1)])  # the same scores
        low, high = np.quantile(boot.resampled["A and B"] - boot.resampled[found.best], [0.025, 0.975])
        assert (found.differences["A and B"].low, found.differences["A and B"].high) == pytest.approx((low, high))
        assert found.fusions[2].members == ["a", "b", "c"]

    def test_nothing_is_chosen_on_eval(self, crossed, noisy):
        trials = {"dev": crossed(5, 4), "eval": crossed(5, 4)}
        good, bad = (noisy(trials["dev"], 3, distance) for distance in (3.0, 0.5))
        systems = [
            ScoredSystem("a", "A", {"dev": bad, "eval": good}),
            ScoredSystem("b", "B", {"dev": good, "eval": bad}),
        ]
        assert analysis.analyse(trials, systems, {}, resamples=20).best == "B"

    def test_without_eval_systems_are_judged_on_dev_and_fusions_are_not(self, crossed, noisy):
        trials = {"dev": crossed(5, 4)}
        systems = [ScoredSystem(name, name.upper(), {"dev": noisy(trials["dev"], i)}) for i, name in enumerate("ab")]
        fusions = {"all": ("all", FusionSettings(title="all", members="all")),
                   "odds": ("odds", FusionSettings(title="odds", members=["a", "b"], logits=True))}  # fmt: skip
        found = analysis.analyse(trials, systems, fusions, resamples=20)
        assert found.judged == "dev" and found.fusions[0].ratios is not None
        assert len(found.differences) == 1 and list(found.groups[0].eers) == ["A", "B"]
        assert found.fusions[1].ratios is None and "a: not a probability" in found.fusions[1].reason
