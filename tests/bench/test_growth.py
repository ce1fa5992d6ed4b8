"""Growth with the data, and the costs of whole corpora that are computed from it."""

import json

import pytest
import torch

import bench_growth

CONTENT = {
    "seconds": {
        "features": {"400": 1.4, "800": 1.8, "1600": 2.6},  # 1 ms each, after a second
        "training": {"4": 2.8, "8": 5.6, "16": 11.2},
        "scoring": {"4": 0.8, "8": 1.6, "16": 3.2},
    },
    "feature_bytes": 360_000,
}


def test_the_costs_of_a_corpus_follow_from_what_a_further_utterance_takes():
    epoch = 3014 * 0.7 + 1710 * 0.2  # core seconds, of which two cores have 7200 an hour
    assert bench_growth.costs(CONTENT, *bench_growth.CORPORA["ASVspoof 2017 V2"]) == pytest.approx(
        {
            "features": 18030 * 0.001 / 7200,
            "an epoch": epoch / 7200,
            "30 epochs": 30 * epoch / 7200,
            "scoring": 15016 * 0.2 / 7200,
            "disk": 18030 * 360_000 / 1e9,
        }
    )


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
