import pytest

import made_up_corpus


@pytest.fixture
def main(monkeypatch, capsys, tmp_path):
    """Run stage 3 within this process, with the rows of `tmp_path`/conf and no figures; returns its stdout."""
    return made_up_corpus.runner(monkeypatch, capsys, tmp_path, drawn=False)


@pytest.fixture
def tree(tmp_path):
    return made_up_corpus.two_systems(tmp_path)
