"""Records: an output is up to date if and only if its recorded identity is the one of now."""

import pytest

from afn.common import record
from afn.common.errors import UserError

IDENTITY = {"settings": {"a": 1, "b": [1, 2.5]}, "data": {"train": "00ff"}}


def test_only_the_identity_decides_whether_an_output_is_up_to_date(tmp_path):
    assert not record.current(tmp_path, IDENTITY)
    record.write(tmp_path, {"identity": IDENTITY, "execution": {"jobs": 2}})
    assert record.current(tmp_path, {"settings": {"b": (1, 2.5), "a": 1}, "data": {"train": "00ff"}})
    assert not record.current(tmp_path, {**IDENTITY, "data": {"train": "00fe"}})
    record.remove(tmp_path)
    assert not record.current(tmp_path, IDENTITY)


def test_differences_are_named_with_both_values():
    now = {"settings": {"a": 2, "b": [1, 2.5], "c": None}, "data": {}}
    assert record.differences(IDENTITY, now) == {
        "data.train": ("00ff", record.ABSENT),
        "settings.a": (1, 2),
        "settings.c": (record.ABSENT, None),
    }


def test_a_setting_that_was_renamed_since_is_no_other_identity(tmp_path):
    record.write(tmp_path, {"identity": {"settings": {"extractor": {"least_posterior": 0.025}}}})
    assert record.current(tmp_path, {"settings": {"extractor": {"min_posterior": 0.025}}})


@pytest.mark.parametrize("content", ["identity: {}\n", "schema: 99\n", "schema: many\n"])
def test_a_record_of_another_schema_is_refused_and_is_not_up_to_date(tmp_path, content):
    (tmp_path / record.NAME).write_text(content)
    with pytest.raises(UserError, match=r"config\.yaml: written by an(other| older) version of this program"):
        record.read(tmp_path)
    assert not record.current(tmp_path, {})
