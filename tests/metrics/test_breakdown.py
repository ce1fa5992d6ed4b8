import numpy as np

from afn.corpora import asvspoof2017
from afn.corpora.datadir import Utterance
from afn.metrics import breakdown, eer
from afn.metrics.conditions import ASVSPOOF_2017, TrialConditions
from afn.metrics.trials import Trials

# Spoof utterances of ASVspoof 2017 V2's evaluation set, RC1 to RC57
PER_CONFIGURATION = """
55 67 122 102 114 108 120 98 244 82 272 75 113 279 150 116 266 265 120 275 22 183 1138 179 42 184 96 240 454 74 145 180
183 181 178 181 48 184 183 116 182 153 84 179 346 181 342 1200 180 748 169 181 181 105 178 182 183
"""
PER_THREAT = {
    "environment": {"low": 1039, "medium": 9336, "high": 1633},
    "playback": {"low": 4612, "medium": 1568, "high": 5828},
    "recorder": {"low": 5092, "medium": 1592, "high": 5324},
}


def trials_of(*codes, genuine=2, columns=("environment", "playback", "recorder")):
    """Genuine trials, and a replay of each of `codes`: text with a code of three letters for each column."""

    def of(i, label, text):
        conditions = dict(zip(columns, (text[at : at + 3] for at in range(0, len(text), 3)), strict=True))
        return Utterance(f"{label}{i}", "", "S", label, {name: code.strip() for name, code in conditions.items()})

    nothing = genuine if isinstance(genuine, tuple) else [" - " * len(columns)] * genuine
    replays = [of(i, "spoof", text) for i, text in enumerate(codes)]
    return Trials.of([of(i, "genuine", text) for i, text in enumerate(nothing)] + replays)


def by_factor(groups, factor):
    return [group for group in groups if group.factor == factor]


def test_replays_are_compared_with_all_genuine_speech_where_conditions_are_those_of_replays():
    trials = trials_of("E01P01R01", "E01P01R01", "E02P01R02", genuine=4)
    scores = np.array([1.0, 2.0, 3.0, 4.0, 0.0, 2.5, 3.5])
    groups = breakdown.breakdown(trials, {"a": scores, "b": -scores})
    (everything,) = by_factor(groups, "all")
    assert everything.eers["a"] == eer.linear_roc_eer(scores[:4], scores[4:])
    first, second = by_factor(groups, "environment")
    assert (first.code, first.replays, second.code, second.replays) == ("E01", 2, "E02", 1)
    assert first.eers["a"] == eer.linear_roc_eer([1, 2, 3, 4], [0, 2.5])
    assert second.eers == {"a": eer.linear_roc_eer([1, 2, 3, 4], [3.5]), "b": 0.25}
    assert not by_factor(groups, "playback")  # one device: as all
    assert [g.code for g in by_factor(groups, "configuration")] == ["E01P01R01", "E02P01R02"]
    assert {g.genuine for g in groups} == {4}
    hulls = breakdown.breakdown(trials, {"a": scores}, compute=eer.convex_hull_eer)
    assert hulls[0].eers["a"] == eer.convex_hull_eer(scores[:4], scores[4:])


def test_replays_are_compared_with_genuine_speech_of_the_same_code_where_it_has_one():
    trials = trials_of(
        "R1 d1 s2 ", "R1 d2 s3 ", "R2 d1 s2 ", genuine=("R1 D1  - ", "R1 D2  - ", "R2 D1  - "),
        columns=("room", "talker_distance", "device"),
    )  # fmt: skip
    scores = np.array([1.0, 5.0, 3.0, 2.0, 0.0, 4.0])
    groups = breakdown.breakdown(trials, {"a": scores})
    first, second = by_factor(groups, "room")
    assert (first.code, first.genuine, first.eers["a"]) == ("R1", 2, eer.linear_roc_eer([1, 5], [2, 0]))
    assert (second.code, second.genuine, second.eers["a"]) == ("R2", 1, 1.0)
    distances = by_factor(groups, "talker_distance")  # genuine speech has other codes there
    assert [(g.code, g.genuine) for g in distances] == [("d1", 3), ("d2", 3)]
    assert distances[0].title == "Talker distance"
    assert [(g.code, g.genuine) for g in by_factor(groups, "device")] == [("s2", 3), ("s3", 3)]
    assert [g.code for g in by_factor(groups, "configuration")] == ["R1 d1 s2", "R1 d2 s3", "R2 d1 s2"]


def test_conditions_with_one_code_or_more_than_sixty_are_left_out():
    many = trials_of(*(f"{i:03d}X{i % 2}  - " for i in range(61)), columns=("file", "half", "nothing"))
    factors = {g.factor for g in breakdown.breakdown(many, {"a": np.arange(63.0)})}
    assert factors == {"all", "half"}
    sixty = trials_of(*(f"{i:03d}" for i in range(60)), columns=("file",))
    assert {g.factor for g in breakdown.breakdown(sixty, {"a": np.arange(62.0)})} == {"all", "file"}


def test_the_evaluation_sets_configurations_come_by_number_and_codes_of_another_corpus_do_not():
    trials, scores = trials_of("E08P20R19", "E24P23R23", "E18P18R12", "E99P99R99", "-  -  -  "), {"a": np.arange(7.0)}
    groups = breakdown.breakdown(trials, scores, ASVSPOOF_2017)
    labels = [group.label for group in by_factor(groups, "configuration")]
    assert labels[:3] == ["RC01 E18P18R12", "RC02 E08P20R19", "RC57 E24P23R23"]
    assert {"E08 home 2", "E18 office 6", "unknown"} < {g.label for g in by_factor(groups, "environment")}
    assert by_factor(groups, "configuration")[2].threats == ("high", "high", "high")
    others = breakdown.breakdown(trials, scores)
    assert not any("threat" in group.factor or any(group.threats) for group in others)
    labels = {group.label for group in by_factor(others, "configuration")}
    assert labels == {"E08P20R19", "E24P23R23", "E18P18R12", "E99P99R99", "unknown"}
    own = TrialConditions(threats={"playback": {"P20": "high", "P23": "low"}})
    groups = breakdown.breakdown(trials, scores, own)
    assert [(g.code, g.replays) for g in by_factor(groups, "playback threat")] == [("low", 1), ("high", 1)]
    assert sorted(ASVSPOOF_2017.numbers.values()) == list(range(1, 58))
    for part in ("environment", "playback", "recorder"):
        assert ASVSPOOF_2017.threats[part].keys() <= ASVSPOOF_2017.names.keys()


def test_the_protocols_counts_are_the_published_ones(published):
    trials, scores = published["eval"]
    gmm = trials.vector(scores["gmm"])
    groups = breakdown.breakdown(trials, {"gmm": gmm}, ASVSPOOF_2017)
    configurations = by_factor(groups, "configuration")
    assert [group.replays for group in configurations] == list(map(int, PER_CONFIGURATION.split()))
    assert [int(group.label[2:4]) for group in configurations] == list(range(1, 58))
    assert sum(group.replays for group in configurations) == asvspoof2017.COUNTS["eval"]["spoof"]
    for part, counts in PER_THREAT.items():
        assert {g.code: g.replays for g in by_factor(groups, f"{part} threat")} == counts
        assert sum(group.replays for group in by_factor(groups, part)) == 12008
    (first, *_) = configurations
    chosen = trials.configurations == "E18P18R12"
    assert first.eers["gmm"] == eer.linear_roc_eer(gmm[trials.genuine], gmm[chosen])
    trials, scores = published["dev"]
    groups = breakdown.breakdown(trials, {"gmm": trials.vector(scores["gmm"])}, ASVSPOOF_2017)
    configurations = by_factor(groups, "configuration")
    assert len(configurations) == 10 and sum(group.replays for group in configurations) == 950
    numbers = [int(group.label[2:4]) for group in configurations if group.label.startswith("RC")]
    assert numbers == [27, 29, 31, 40, 43, 51, 54]
