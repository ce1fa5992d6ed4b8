"""Growth with the data, and the costs of whole corpora that are computed from it."""

import json

import pytest
import torch

import bench_growth

CONTENT = {
    "environment": {},
    "seconds": {
        "features": {"400": 1.4, "800": 1.8, "1600": 2.6},  # 1 ms each, after a second
        "training": {"4": 2.8, "8": 5.6, "16": 11.2},
        "scoring": {"4": 0.8, "8": 1.6, "16": 3.2},
        "stage 3": {"100": 1.0, "200": 4.0, "400": 16.0},
    },
    "stage_3": {"13306": 6.0, "134730": 90.0},
    "feature_bytes": 360_000,
}


def test_the_costs_of_a_corpus_follow_from_what_a_further_utterance_takes():
    cost = bench_growth.cost_of(CONTENT)
    assert (cost.features, cost.training, cost.scoring) == pytest.approx((0.001, 0.7, 0.2))
    found = cost.of(bench_growth.CORPORA[0])  # on two cores
    assert found["features"] == pytest.approx(18.030 / 7200)
    assert found["30 epochs"] == pytest.approx(30 * (3014 * 0.7 + 1710 * 0.2) / 7200)
    assert found["scoring"] == pytest.approx(15016 * 0.2 / 7200)
    assert found["disk"] == pytest.approx(18030 * 360_000 / 1e9)


def test_tables_and_rows_show_growth_and_goals():
    tables = bench_growth.tables(CONTENT)
    assert "| training: 4 utterances | 2.8 | 5.6 | 11.2 | 1.00 |" in tables
    assert "| stage 3, 1,000 resamples: 100 utterances | 1 | 4 | 16 | 2.00 |" in tables
    assert "| 134,730 scores | 90 | 300 |" in tables
    assert "| ASVspoof 2021 PA | 0.131 h | – | – | 26.2 h | – |" in tables


def test_the_page_shows_what_was_measured():
    wanted = bench_growth.tables(json.loads(bench_growth.SAVED.read_text(encoding="utf-8")))
    page = bench_growth.PAGE.read_text(encoding="utf-8")
    assert page.split(bench_growth.BEGIN)[1].split(bench_growth.END)[0] == wanted


def test_each_part_does_the_work_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_growth, "RECORDINGS", 2)
    bench_growth.features(tmp_path, 5)(3)
    assert (tmp_path / "out" / "utt2num_frames").read_text() == "u000000 350\nu000001 350\nu000002 350\n"
    scored, analysed = [], []
    monkeypatch.setattr(bench_growth, "AttentiveFilteringNetwork", lambda: torch.nn.Flatten())
    monkeypatch.setattr(bench_growth.training, "scores", lambda _, batches, *__: scored.extend(batches) or [])
    bench_growth.scoring(4, torch.device("cpu"))(3)
    assert [utterances for utterances, _ in scored] == [["u000000"], ["u000001"], ["u000002"]]
    monkeypatch.setattr(
        bench_growth.analysis, "analyse", lambda *given, resamples: analysed.append((*given, resamples))
    )
    bench_growth.stage_three(80, 7)
    trials, systems, fusions, resamples = analysed[0]
    assert (trials["eval"].genuine.size, len(systems), len(fusions), resamples) == (80, 2, 1, 7)
    assert all(len(system.seeds["eval"]) == 3 and system.usable_on_dev for system in systems)
