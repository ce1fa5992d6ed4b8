"""The rows of the results: seeds in words, and where the paper's figures are beside ours."""

import pytest

from afn.metrics.eer import Measured
from afn.report import results, results_markdown
from afn.report.results import Results, SystemRow

OFFICIAL = {"train": (1507, 1507), "dev": (760, 950), "eval": (1298, 12008)}


def measured(eer):
    return Measured({"linear_roc": eer, "convex_hull": eer - 0.01, "official": eer + 0.01}, 0.5)


@pytest.mark.parametrize(
    ("seeds", "text"), [([1], "seed 1"), ([3, 1, 2], "seeds 1-3"), ([8, 1, 5, 2], "seeds 1-2, 5, 8"), ([], "no seed")]
)
def test_seeds_in_words(seeds, text):
    assert results.named(seeds) == text


def test_the_paper_is_compared_with_the_complete_corpus_only():
    assert results.comparison("asvspoof2017", {"dev": (760, 950), "eval": (1298, 12008)}, OFFICIAL)[0]
    for counts in ({"dev": (760, 950), "eval": (1298, 12007)}, {"dev": (760, 950)}, {"dev": (950, 760)}):
        allowed, reason = results.comparison("asvspoof2017", counts, OFFICIAL)
        assert not allowed and "Only a part of the corpus" in reason
    assert not results.comparison("datadir", OFFICIAL, OFFICIAL)[0]


def test_the_papers_figures_are_beside_ours_where_they_may_be_compared():
    rows = [SystemRow("a", "A", {"eval": 8.99}), SystemRow("b", "B | b\nb", {"dev": 6.0}, {"dev": {1: measured(0.1)}})]
    page = results_markdown.page(Results("c", "asvspoof2017", {"dev": (1, 1)}, rows, True, ""))
    assert "| B \\| b b | train | 1 | 10.00 ± – | – | – | – | 6.00 | – |" in page
    assert "averaged scores of 6 to 9 models" in page and "The paper's 8.99 % on eval is such a figure" in page
    allowed, reason = results.comparison("simulated", OFFICIAL, OFFICIAL)
    page = results_markdown.page(Results("c", "simulated", {"dev": (1, 1)}, rows, allowed, reason))
    assert "| B \\| b b | train | 1 | 10.00 ± – | – | – | – |\n" in page and "6.00" not in page and "8.99" not in page
    assert "say nothing about ASVspoof and cannot be compared with the paper" in reason and reason in page
