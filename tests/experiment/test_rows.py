"""What --system may name."""

import pytest

from afn.common.errors import UserError
from afn.experiment import rows


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "systems").mkdir()
    (tmp_path / "fusion").mkdir()
    (tmp_path / "systems" / "b.yaml").write_text("kind: neural\n")
    (tmp_path / "systems" / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "systems" / "c.yaml").write_text("kind: gmm\n")
    (tmp_path / "systems" / "d.yaml").write_text("kind: other\n")
    (tmp_path / "fusion" / "both.yaml").write_text("members: [c, a]\n")
    (tmp_path / "fusion" / "everything.yaml").write_text("members: all\n")
    (tmp_path / "fusion" / "c.yaml").write_text("members: [a, b]\n")
    return tmp_path


def test_groups_hold_the_systems_of_their_kinds(conf):
    assert rows.rows("all", conf) == ["a", "b", "c", "d"]
    assert rows.rows("all-neural", conf) == ["a", "b"]
    assert rows.rows("all-classical", conf) == ["c"]


def test_a_fusion_stands_for_its_members_and_a_system_for_itself(conf):
    assert rows.rows("both", conf) == ["c", "a"]
    assert rows.rows("everything", conf) == ["a", "b", "c", "d"]
    assert rows.rows("c", conf) == ["c"]  # a system before a fusion of its name
    assert rows.rows("unknown", conf) == ["unknown"]
    assert rows.rows("/x/y z.yaml", conf) == ["/x/y z.yaml"]


def test_a_name_that_there_is_not_is_refused_before_any_stage(conf, monkeypatch):
    assert rows.meant("all_neural", conf) == "did you mean all-neural?"
    assert rows.meant("boht", conf) == "did you mean both?"
    known = "a, b, c, d, both, everything, all, all-neural, all-classical"
    assert rows.meant("zzz", conf) == f"choose one of: {known}"
    monkeypatch.setattr("sys.argv", ["rows.py", "afm"])
    with pytest.raises(UserError, match=r"afm\.yaml: no such file; did you mean afn\?"):
        rows.main()


def test_names_are_printed_a_line_each(monkeypatch, capsys):
    for name, lines in (("afn", ["afn"]), ("mdf", ["mcf_cc", "mse_cc", "lfcc_gmm"]), ("x/y.yaml", ["x/y.yaml"])):
        monkeypatch.setattr("sys.argv", ["rows.py", name])
        rows.main()
        assert capsys.readouterr().out.splitlines() == lines


def test_every_member_of_a_fusion_is_a_system():
    for path in sorted((rows.CONF / "fusion").glob("*.yaml")):
        for name in rows.rows(path.stem):
            assert (rows.CONF / "systems" / f"{name}.yaml").is_file(), path.name
