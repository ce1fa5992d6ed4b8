"""Seeds of a system: each ends as if trained alone, with a separate log."""

import pytest
import torch

from afn.common.errors import UserError
from stages import Pipeline
from trained_corpus import ROW, trained

SEEDS = (1, 2)


@pytest.fixture
def pipeline(tmp_path, golden, tmp_path_factory):
    """Trains seeds 1 and 2 of the trained corpus into another folder."""
    folder = trained(tmp_path_factory.getbasetemp(), golden)
    found = Pipeline(tmp_path, folder / "mine.yaml", *ROW, "--seeds", "1-2")
    (tmp_path / "data").symlink_to(folder / "data")
    return found


def seed(folder, number):
    return folder / "exp" / "mine" / "lcnn" / f"seed{number}"


@pytest.mark.slow
def test_seeds_on_several_gpus_end_as_if_trained_one_after_the_other(pipeline, tmp_path_factory, golden, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "device_count", lambda: 2)  # in this process, which starts one process for each
        pipeline.run((0,))
    one_after_the_other = trained(tmp_path_factory.getbasetemp(), golden)
    for number in SEEDS:
        for name in ("best.pt", "config.yaml"):
            ours, theirs = (seed(folder, number) / name for folder in (pipeline.folder, one_after_the_other))
            assert ours.read_bytes() == theirs.read_bytes(), name


def test_each_seed_has_its_log_and_a_finished_one_is_left_alone(pipeline, golden, tmp_path_factory, capsys):
    folder = trained(tmp_path_factory.getbasetemp(), golden)
    for number in SEEDS:
        log = (seed(folder, number) / "train.log").read_text()
        assert f"seed {number}: " in log and "best dev EER" in log and f"seed {3 - number}" not in log
    before = {path: path.read_bytes() for number in SEEDS for path in seed(folder, number).iterdir() if path.is_file()}
    Pipeline(folder, folder / "mine.yaml", *ROW, "--seeds", "1-2").run((0,))
    assert capsys.readouterr().out.count("is trained; --force trains it again") == 2
    assert {path: path.read_bytes() for path in before} == before


def test_a_seed_that_cannot_be_trained_is_named_and_stays_as_it_is(pipeline):
    seed(pipeline.folder, 2).mkdir(parents=True)
    (seed(pipeline.folder, 2) / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"contains|holds files of a training without its config\.yaml"):
        pipeline.run((0,))
    assert [path.name for path in seed(pipeline.folder, 2).iterdir()] == ["notes.txt"]
