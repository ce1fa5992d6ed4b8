"""What --system may name."""

import rows


def test_groups_hold_the_systems_of_their_kind_and_names_stand_for_themselves(tmp_path):
    (tmp_path / "b.yaml").write_text("kind: neural\n")
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "c.yaml").write_text("kind: other\n")
    assert rows.rows("all", tmp_path) == ["a", "b", "c"]
    assert rows.rows("all-neural", tmp_path) == ["a", "b"]
    assert rows.rows("afn", tmp_path) == ["afn"]
    assert rows.rows("/x/y z.yaml", tmp_path) == ["/x/y z.yaml"]
