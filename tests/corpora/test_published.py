"""Official trees in miniature: what is read, what a part of a corpus is, and what is refused in one line."""

import os
import shutil
from collections import Counter

import pytest

import miniature_corpora
from afn import corpora
from afn.common import config
from afn.common.errors import UserError
from afn.corpora import official

REAL_DATA = os.environ.get("REAL_DATA")
OFFICIAL = ("asvspoof2019_pa", "asvspoof2021_pa", "remasc", "digits")


@pytest.fixture
def read(tmp_path):
    """Reads the corpus in the YAML that a function of miniature_corpora has written; `read.said` is what it said."""

    def call(path, *changes):
        corpus = config.load(corpora.Corpus, path, changes)
        corpus.identity()
        call.said = []
        found = corpus.utterances(tmp_path / "data", say=call.said.append)
        assert list(found) == [subset for subset in corpus.names_of_subsets() if subset in found]
        return found

    return call


def refusal(read, *arguments):
    with pytest.raises(UserError) as error:
        read(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def labels(found):
    return {subset: dict(Counter(u.label for u in listed)) for subset, listed in found.items()}


@pytest.mark.parametrize("kind", OFFICIAL)
def test_other_counts_than_the_published_are_refused_and_a_warning_with_allow_missing(tmp_path, read, kind):
    path = getattr(miniature_corpora, kind)(tmp_path / "corpus")
    message = refusal(read, path, "allow_missing=false")
    assert " instead of the published " in message and message.endswith("corpus.allow_missing=true.")
    assert read(path)
    assert any(text.startswith("warning: ") and "instead of the published" in text for text in read.said)


@pytest.mark.parametrize("kind", OFFICIAL)
def test_a_missing_folder_is_named_with_the_fix(tmp_path, read, kind):
    path = getattr(miniature_corpora, kind)(tmp_path / "corpus")
    shutil.rmtree(tmp_path / "corpus")
    message = refusal(read, path)
    assert message.startswith(f"{tmp_path}/corpus") and "set corpus.root to" in message


@pytest.mark.parametrize("kind", OFFICIAL)
def test_recordings_that_are_missing_are_counted(tmp_path, read, kind, monkeypatch):
    path = getattr(miniature_corpora, kind)(tmp_path / "corpus")
    whole = sum(len(listed) for listed in read(path).values())
    monkeypatch.setattr(official, "check_counts", lambda *arguments, **options: None)
    names = {"asvspoof2019_pa": "PA_D_0000004.flac", "asvspoof2021_pa": "PA_E_0000002.flac", "remasc": "2.wav"}
    for wav in (tmp_path / "corpus").rglob(names.get(kind, "Voz1.wav")):
        wav.unlink()
    assert sum(len(listed) for listed in read(path).values()) < whole
    if kind != "digits":  # no list says what there should be
        assert any(" recordings present" in text for text in read.said)
        message = refusal(read, path, "allow_missing=false")
        assert names[kind] in message and "no such recording (1 of the " in message


# ASVspoof 2019


def test_2019_is_read_by_its_protocols(tmp_path, read):
    found = read(miniature_corpora.asvspoof2019_pa(tmp_path / "corpus"))
    assert labels(found) == dict.fromkeys(("train", "dev", "eval"), {"genuine": 3, "spoof": 3})
    first, last = found["dev"][0], found["dev"][-1]
    assert (first.utt, first.wav) == (
        "PA_D_0000000",
        f"{tmp_path}/corpus/PA/ASVspoof2019_PA_dev/flac/PA_D_0000000.flac",
    )
    assert (last.speaker, *last.conditions.items()) == (
        "PA_11",
        ("environment", "acc"), ("attack", "BC"), ("room_size", "a"), ("reverberation", "c"),
        ("talker_distance", "c"), ("attacker_distance", "B"), ("device_quality", "C"),
    )  # fmt: skip
    assert list(first.conditions.values()) == ["aac", "-", "a", "a", "c", "-", "-"]


def test_2019_may_lack_a_protocol_where_a_part_is_enough(tmp_path, read):
    path = miniature_corpora.asvspoof2019_pa(tmp_path / "corpus")
    protocol = tmp_path / "corpus/PA/ASVspoof2019_PA_cm_protocols/ASVspoof2019.PA.cm.eval.trl.txt"
    protocol.unlink()
    assert list(read(path)) == ["train", "dev"] and "eval: no protocol; left out" in read.said
    assert refusal(read, path, "allow_missing=false").startswith(f"{protocol}: no such protocol. ")
    assert list(read(path, f"root={tmp_path}/corpus/PA")) == ["train", "dev"]


def test_logical_access_is_recognised(tmp_path, read):
    path = miniature_corpora.asvspoof2019_pa(tmp_path / "corpus")
    (tmp_path / "corpus/PA").rename(tmp_path / "corpus/LA")
    assert "This is LA, logical access; this corpus is PA" in refusal(read, path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("PA_1 PA_T_1 aaa bonafide", ":1: 4 instead of 5 fields. "),
        ("LA_1 LA_T_1 - - bonafide", ":1: environment '-' is not three letters a-c. "),
        ("PA_1 PA_T_1 aaa - spoof", ":1: attack '-' of a spoof recording. "),
        ("PA_1 PA_T_1 aaa AA bonafide", ":1: attack 'AA' of a bonafide recording. "),
        ("PA_1 PA_T_1 aaa AA fake", ":1: unknown label 'fake'. "),
        ("PA_1 PA_T_1 aaa AA spoof\nPA_1 PA_T_1 aaa AA spoof", ":2: PA_T_1 is listed twice. "),
    ],
)
def test_a_line_of_2019_that_cannot_be_used_is_named(tmp_path, read, line, reason):
    path = miniature_corpora.asvspoof2019_pa(tmp_path / "corpus")
    protocol = tmp_path / "corpus/PA/ASVspoof2019_PA_cm_protocols/ASVspoof2019.PA.cm.train.trn.txt"
    protocol.write_text(f"{line}\n")
    assert refusal(read, path).startswith(f"{protocol}{reason}")


# ASVspoof 2021

KEY = "corpus/keys/PA/CM/trial_metadata.txt"


@pytest.mark.parametrize("parts", [True, False], ids=["seven parts", "one tree"])
@pytest.mark.parametrize(("track", "first"), [("eval", 0), ("progress", 4), ("hidden1", 8), ("hidden2", 12)])
def test_a_track_of_2021_is_an_evaluation_set(tmp_path, read, parts, track, first):
    found = read(miniature_corpora.asvspoof2021_pa(tmp_path / "corpus", parts), f"track={track}")
    assert labels(found) == {"eval": {"genuine": 2, "spoof": 2}}
    replay = found["eval"][1]
    assert replay.utt == f"PA_E_{first + 1:07d}" and replay.wav.endswith(
        f"/ASVspoof2021_PA_eval/flac/{replay.utt}.flac"
    )
    assert dict(replay.conditions) == {
        "room": "R3", "asv_microphone": "M3", "distance": "d4", "attacker_room": "r1", "attacker_microphone": "m1",
        "replay_device": f"s{2 + (first + 1) % 3}", "attacker_distance": "c4",
    }  # fmt: skip


def test_parts_of_2021_may_be_in_several_places(tmp_path, read):
    path = miniature_corpora.asvspoof2021_pa(tmp_path / "corpus")
    (tmp_path / "other").mkdir()
    for number in range(3):
        part = f"ASVspoof2021_PA_eval_part0{number}"
        (tmp_path / "corpus" / part).rename(tmp_path / "other" / part)
    roots = [tmp_path / "corpus", *(tmp_path / "other").iterdir()]
    assert labels(read(path, f"root=[{', '.join(map(str, roots))}]")) == {"eval": {"genuine": 2, "spoof": 2}}
    (tmp_path / KEY).rename(tmp_path / "key.txt")
    assert refusal(read, path).startswith(f"{tmp_path}/{KEY}: no such key. ")
    assert read(path, f"root=[{', '.join(map(str, roots))}]", f"keys={tmp_path}/key.txt")


def test_a_recording_in_two_layouts_is_refused(tmp_path, read):
    path = miniature_corpora.asvspoof2021_pa(tmp_path / "corpus")
    shutil.copytree(
        tmp_path / "corpus/ASVspoof2021_PA_eval_part00/ASVspoof2021_PA_eval",
        tmp_path / "corpus/copy/ASVspoof2021_PA_eval",
    )
    assert "PA_E_0000000.flac: is also in " in refusal(read, path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("LA_0009 LA_E_9332881 alaw ita_tx A07 spoof notrim eval", "This is a key of another track (LA). "),
        ("LA_1 DF_E_1 nocodec asvspoof A14 spoof notrim eval x - - - -", "This is a key of another track (DF). "),
        ("PA_E_1000001", "This is the list of names, without labels. "),
        (
            "PA_1 PA_E_1 R3 M3 d4 - - - - target notrim eval",
            "label 'target': this is the key of the speaker verifier. ",
        ),
        ("PA_1 PA_E_1 R3 M3 d4 r1 m1 s4 c4 spoof eval notrim", "eval notrim instead of notrim|trim and eval|progress|"),
        ("PA_1 PA_E_1 R3 M3 d4 r1 m1 s4 c4 fake notrim eval", "unknown label 'fake'. "),
    ],
)
def test_another_key_is_recognised(tmp_path, read, line, reason):
    path = miniature_corpora.asvspoof2021_pa(tmp_path / "corpus")
    (tmp_path / KEY).write_text(f"{line}\n")
    message = refusal(read, path)
    assert message.startswith(f"{tmp_path}/{KEY}:1: ") and reason in message


# ReMASC


def test_remasc_is_one_channel_of_one_recorder(tmp_path, read):
    path = miniature_corpora.remasc(tmp_path / "corpus")
    found = read(path, "channel=2", "dev=0.5")
    assert labels(found) == {
        "train": {"genuine": 2, "spoof": 2},
        "dev": {"genuine": 2, "spoof": 2},
        "eval": {"genuine": 4, "spoof": 4},
    }
    speakers = {subset: {u.speaker for u in listed} for subset, listed in found.items()}
    assert not speakers["train"] & speakers["dev"]
    assert {u.channel for listed in found.values() for u in listed} == {2}
    replay = next(u for u in found["eval"] if u.label == "spoof")
    assert (replay.utt, replay.wav) == ("eval_27", f"{tmp_path}/corpus/eval/data/27.wav")
    assert dict(replay.conditions) == {
        "environment": "indoor_1", "position": "2", "source_recorder": "1", "playback": "2",
    }  # fmt: skip
    assert read(path, "channel=2", "dev=0.5") == found
    assert read(path, "channel=2", "dev=0.5", "seed=3") != found
    assert {u.utt for u in read(path, "recorder=4")["eval"]}.isdisjoint({u.utt for u in found["eval"]})


def test_remasc_names_what_it_cannot_use(tmp_path, read):
    path = miniature_corpora.remasc(tmp_path / "corpus")
    assert "channel: 3 must be at most 2 for this recorder" in refusal(read, path, "channel=3")
    (tmp_path / "corpus/eval/meta.csv").write_text("1, 2, 3\n")
    assert refusal(read, path).startswith(f"{tmp_path}/corpus/eval/meta.csv:1: not a line of 9 columns: id, type, ")
    (tmp_path / "corpus/eval/meta.csv").unlink()
    assert list(read(path)) == ["train", "dev"] and "eval: no meta.csv; left out" in read.said


# Digits


def test_both_layouts_of_the_digits_are_the_same_corpus(tmp_path, read):
    found = [
        read(miniature_corpora.digits(tmp_path / str(checkout) / "corpus", checkout=checkout, speakers=21))
        for checkout in (True, False)
    ]
    first, second = ([(u.utt, u.speaker, u.label, s) for s, listed in of.items() for u in listed] for of in found)
    assert first == second
    assert ("en_US_03_1_playback", "en_US_03", "spoof") in [row[:3] for row in first]
    assert dict(found[0]["dev"][0].conditions) == {"language": "en_US", "digit": "0"}


def test_speakers_of_the_digits_are_in_one_subset_with_both_languages(tmp_path, read):
    path = miniature_corpora.digits(tmp_path / "corpus", speakers=21, digits="7")
    shutil.rmtree(tmp_path / "corpus/soundSamples/separated/playback/en_US")
    for speaker in range(1, 21):
        miniature_corpora.write_noise(
            tmp_path / f"corpus/soundSamples/separated/playback/en_US/7/Voz{speaker}.wav", speaker, 200
        )
    found = read(path)
    assert "speakers with recordings of one class are left out: en_US_21" in read.said
    speakers = {subset: {u.speaker for u in listed} for subset, listed in found.items()}
    assert {s: Counter(name[:5] for name in names) for s, names in speakers.items()} == {
        "train": {"en_US": 10, "pt_BR": 10},
        "dev": {"en_US": 5, "pt_BR": 5},
        "eval": {"en_US": 5, "pt_BR": 6},
    }
    assert len(set.union(*speakers.values())) == 41
    assert {u.speaker for u in read(path, "seed=2")["dev"]} != speakers["dev"]


def test_digits_in_two_layouts_are_refused(tmp_path, read):
    path = miniature_corpora.digits(tmp_path / "corpus")
    miniature_corpora.digits(tmp_path / "corpus", checkout=False)
    assert "holds the corpus in two layouts" in refusal(read, path)


# Pools


def test_a_pool_joins_its_members(tmp_path, read):
    members = [
        miniature_corpora.digits(tmp_path / "a/corpus"),
        miniature_corpora.asvspoof2021_pa(tmp_path / "b/corpus"),
    ]
    path = tmp_path / "pool.yaml"
    path.write_text(f"kind: pool\nname: both\nmembers: [{members[0]}, {members[1]}]\n")
    found = read(path)
    alone = [read(member) for member in members]
    assert {s: len(of) for s, of in found.items()} == {s: len(alone[0][s]) + 4 * (s == "eval") for s in alone[0]}
    columns = ["corpus", "language", "digit", *alone[1]["eval"][0].conditions]
    assert {tuple(u.conditions) for listed in found.values() for u in listed} == {tuple(columns)}
    first, last = found["eval"][0], found["eval"][-1]
    assert first.utt == f"digits-{alone[0]['eval'][0].utt}" and first.speaker.startswith("digits-")
    assert list(first.conditions.values())[:4] == ["digits", "en_US", "0", "-"]
    assert list(last.conditions.values())[:4] == ["asvspoof2021_pa", "-", "-", "R3"]


def test_a_pool_names_what_it_cannot_join(tmp_path, read):
    member = miniature_corpora.digits(tmp_path / "corpus")
    path = tmp_path / "pool.yaml"
    for members, reason in (
        ([member, member], "a second corpus with the name digits. Rename one."),
        ([path], f"{path}: is itself a pool. "),
        (["nothing"], "nothing.yaml: no such file; choose one of: "),
    ):
        path.write_text(f"kind: pool\nname: both\nmembers: [{', '.join(map(str, members))}]\n")
        assert reason in refusal(read, path)


@pytest.mark.skipif(REAL_DATA is None, reason="REAL_DATA, a folder with real_replays/digits in it, is not set")
def test_the_real_digits_are_complete(tmp_path, read):
    path = miniature_corpora.write_yaml(tmp_path, "digits")
    found = read(path, f"root={REAL_DATA}/real_replays/digits", "allow_missing=false")
    assert read.said == []
    assert labels(found) == {
        "train": {"genuine": 200, "spoof": 200},
        "dev": {"genuine": 100, "spoof": 100},
        "eval": {"genuine": 110, "spoof": 110},
    }
