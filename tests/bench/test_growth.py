"""The computed cost of a whole corpus follows from seconds an utterance."""

import pytest
import torch

import bench_growth


def test_the_hours_of_the_corpus_follow_from_seconds_an_utterance():
    hours = bench_growth.Cost(features=0.001, training=0.7, scoring=0.2).stages()
    assert hours["features, once"] == pytest.approx(18.03 / 3600)
    assert hours["training, 30 epochs of 8 seeds"] == pytest.approx(240 * (3014 * 0.7 + 1710 * 0.2) / 3600)
    assert hours["scoring, 8 seeds"] == pytest.approx(8 * 15016 * 0.2 / 3600)


@pytest.mark.slow
def test_a_forward_pass_takes_the_arithmetic_of_its_layers():
    arithmetic, traffic = bench_growth.forward_pass()
    assert arithmetic == pytest.approx(13.1e9, rel=0.005)
    first = 257 * 1091 * (2 * 16 + 3 * 16 + 2 * 16)  # a convolution of 16 maps, its batch norm and its ReLU
    assert 8 * first < traffic < 33 * first  # 33 of them, a quarter on maps as large


def test_each_part_does_the_work_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_growth, "RECORDINGS", 2)
    monkeypatch.setattr(bench_growth.parallel, "default_jobs", lambda: 1)
    assert bench_growth.features(tmp_path, 5)(3) > 0
    assert (tmp_path / "out" / "utt2num_frames").read_text() == "u000000 350\nu000001 350\nu000002 350\n"
    scored = []
    monkeypatch.setattr(bench_growth, "AttentiveFilteringNetwork", lambda: torch.nn.Flatten())
    monkeypatch.setattr(bench_growth.training, "scores", lambda _, batches, *__: scored.extend(batches) or [])
    bench_growth.scoring(4, torch.device("cpu"))(3)
    assert [utterances for utterances, _ in scored] == [["u000000"], ["u000001"], ["u000002"]]
