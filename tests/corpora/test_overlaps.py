"""What subsets share: ids are refused, recordings and speakers reported."""

import pytest

from afn.common.errors import UserError
from afn.corpora import overlaps
from afn.corpora.datadir import Content, Utterance


def utterance(utt, wav="", speaker="", sha256=""):
    content = Content(sha256, 1, 1) if sha256 else None
    return Utterance(utt, wav or f"{utt}.wav", speaker or utt, "genuine", content=content)


def said(**subsets):
    lines = []
    overlaps.check(subsets, lines.append)
    return lines


def test_subsets_that_share_nothing_are_not_mentioned():
    assert said(train=[utterance("a"), utterance("b", sha256="1")], dev=[utterance("c", sha256="2")]) == []


def test_an_id_in_two_subsets_is_refused_with_both_subsets():
    with pytest.raises(UserError, match=r"utterance ids in both train and dev: a and 1 more\. Ids must be unique"):
        said(train=[utterance("a"), utterance("b")], dev=[utterance("b", "x.wav"), utterance("a", "y.wav")])


def test_the_same_file_and_the_same_content_are_one_line_for_two_subsets():
    lines = said(
        train=[utterance("a", "x.wav"), utterance("b", sha256="1")],
        dev=[utterance("c", "x.wav")],
        eval=[utterance("d", sha256="1"), utterance("e")],
    )
    assert lines == [
        "warning: 1 recordings of dev also occur in train (a = c)",
        "warning: 1 recordings of eval also occur in train (b = d)",
    ]


def test_a_speaker_in_two_subsets_is_reported():
    lines = said(train=[utterance("a", speaker="anna")], eval=[utterance("b", speaker="anna")])
    assert lines == ["warning: 1 speakers of eval also occur in train (anna)"]
