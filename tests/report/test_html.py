"""The results page on made-up tables: what it says, and that nothing in it can break it."""

from afn.metrics.analysis import Analysis
from afn.metrics.eer import Measured
from afn.report import html
from afn.report.results import SIMULATED, Results, SystemRow
from afn.report.worst import Worst, WorstRecording

PAPER = {"dev": 6.55, "eval": 8.99}


def measured(eer):
    return Measured({"linear_roc": eer, "convex_hull": eer - 0.01, "official": eer + 0.01}, 0.5)


def page(rows=(), with_paper=False, found=None, remark="The remark.", worst=None):
    counts = {"dev": (2, 3), "eval": (4, 5000)}
    results = Results("made up", "datadir", counts, rows, with_paper, remark, found or Analysis(), worst=worst or {})
    return html.page(results, None, {}, {})


def run(name="afn", title="AFN"):
    seeds = {subset: {1: measured(0.1), 2: measured(0.2)} for subset in ("dev", "eval")}
    return SystemRow(name, title, PAPER, seeds, {"dev": measured(0.12), "eval": measured(0.15)}, (1, 2))


def test_a_row_has_seeds_mean_averages_and_the_papers_figures_and_rows_that_are_not_run_are_one_line(read_page):
    html = page([run(title='<b>"one" & two</b>')], with_paper=True)
    assert (
        "<b>" not in html and "not run" not in html and "therefore grey" not in html and not any(read_page(html).grey)
    )
    found = read_page(html).row("<b>")
    assert found[:3] == ['<b>"one" & two</b> afn', "train", "1-2"]
    assert found[3:7] == ["15.00 ± 7.07", "15.00 ± 7.07", "12.00", "15.00"] and found[-2:] == ["6.55", "8.99"]
    html = page([run(), SystemRow("lcnn", "LCNN", {"eval": 16.08}), SystemRow("gmm", "GMM")], remark=SIMULATED)
    assert "<summary>not run: lcnn, gmm</summary>" in html and html.count("not run") == 1
    assert read_page(html).row("LCNN") == ["LCNN lcnn", "no scores", "–", "16.08"]
    assert "cannot be compared with the paper" in html and "therefore grey" in html
    assert sum(read_page(html).grey) == 2 + 2 + 2 + 4  # heads of both tables, and their figures


def test_an_empty_corpus_has_a_page_that_says_what_is_missing(read_page):
    html = page()
    read_page(html)
    for words in ("No intervals", "No fusion is run", "No system is calibrated", "no two systems", "No attention",
                  "No averaged scores of both classes to draw", "to choose from", "No training curves"):  # fmt: skip
        assert words in html


def test_the_worst_recordings_can_be_heard_and_seen_where_their_files_exist(read_page):
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
    assert read_page(section).row("G1")[:3] == ["G1", "-1.5", "error"] and read_page(section).row("G2")[:3] == [
        "G2",
        "0.75",
        "correct",
    ]
    assert read_page(section).row("S'1")[:3] == ["S'1 E01 R02", "3", "error"]
    assert section.count('<audio controls preload="none"') == 2 * 2  # of three recordings, in each system
    assert section.count('src="../../data/a%20b.wav"') == section.count('src="file:///x/s&amp;1.wav"') == 2
    assert section.count('<a href="AFN/attention/G1.png"><img') == section.count("<img") == 2
    assert "<script" not in text
