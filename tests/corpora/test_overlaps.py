"""What makes figures doubtful: shared ids are refused; shared recordings and speakers and lone classes are reported."""

import pytest

from afn.common.errors import UserError
from afn.corpora import overlaps
from afn.corpora.datadir import Content, Utterance


def utterance(utt, wav="", speaker="", sha256="", label="genuine", **part):
    content = Content(sha256, 1, 1) if sha256 else None
    return Utterance(utt, wav or f"{utt}.wav", speaker or utt, label, content=content, **part)


def said(replays=True, **subsets):
    """What was said of the subsets, each with `replays` besides."""
    lines = []
    for subset, listed in subsets.items():
        listed += [utterance(f"{subset}_replay", label="spoof")] * replays
    overlaps.check(subsets, lines.append)
    return lines


def test_an_id_in_two_subsets_is_refused_with_both_subsets():
    with pytest.raises(UserError, match=r"utterance ids in both train and dev: a and 1 more\. Ids must be unique"):
        said(train=[utterance("a"), utterance("b")], dev=[utterance("b", "x.wav"), utterance("a", "y.wav")])


def test_the_same_file_and_the_same_content_are_one_line_for_two_subsets():
    train = [utterance("a", "x.wav"), utterance("b", sha256="1")]
    dev = [utterance("c", "x.wav"), utterance("f", sha256="2")]
    assert said(train=train, dev=dev, eval=[utterance("d", sha256="1"), utterance("e")]) == [
        "warning: 1 recordings of dev also occur in train (a = c)",
        "warning: 1 recordings of eval also occur in train (b = d)",
    ]


def test_segments_of_one_recording_are_different_recordings():
    train = [utterance("a", sha256="1", start=0.0, end=1.0), utterance("b", sha256="1", start=1.0, end=2.0)]
    assert said(train=train, dev=[utterance("c", sha256="1", channel=2)]) == []


def test_doubles_in_a_subset_shared_speakers_and_a_lone_class_are_reported():
    double = [utterance("a", sha256="1"), utterance("b", sha256="1", label="spoof"), utterance("c")]
    assert said(dev=double) == [
        "warning: 1 recordings of dev are listed twice (a = b)",
        "warning: 1 recordings of dev are listed as genuine and as spoof (a = b)",
    ]
    assert said(train=[utterance("a", speaker="anna")], eval=[utterance("b", speaker="anna")]) == [
        "warning: 1 speakers of eval also occur in train (anna)"
    ]
    assert said(replays=False, dev=[utterance("a"), utterance("b", "a.wav")]) == [
        "warning: dev: no spoof recording; training and error rates need both classes",
        "warning: 1 recordings of dev are listed twice (a = b)",
    ]
