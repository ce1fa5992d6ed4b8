"""What --system may name."""

import pytest

import rows


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


def test_every_member_of_a_fusion_is_a_system():
    for path in sorted((rows.CONF / "fusion").glob("*.yaml")):
        for name in rows.rows(path.stem):
            assert (rows.CONF / "systems" / f"{name}.yaml").is_file(), path.name
