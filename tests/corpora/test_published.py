"""Official trees in miniature: what is read, what a part of a corpus is, and what is refused in one line."""

import shutil
from collections import Counter

import pytest

import miniature_corpora
from afn import corpora
from afn.common import config
from afn.common.errors import UserError
from afn.corpora import published

OF_2019 = "PA/ASVspoof2019_PA_cm_protocols/ASVspoof2019.PA.cm"
OF_2021 = "keys/PA/CM/trial_metadata.txt"


class Corpus:
    """A corpus in miniature and what is said while it is read."""

    def __init__(self, folder):
        self.folder, self.root, self.said = folder, folder / "corpus", []

    def make(self, kind, **options):
        self.yaml = getattr(miniature_corpora, kind)(self.root, **options)
        return self

    def read(self, *changes):
        self.said.clear()
        corpus = config.load(corpora.Corpus, self.yaml, changes)
        corpus.identity()
        found = corpus.utterances(self.folder / "data", say=self.said.append)
        assert list(found) == [subset for subset in corpus.names_of_subsets() if subset in found]
        return found

    def refusal(self, *changes):
        with pytest.raises(UserError) as error:
            self.read(*changes)
        assert "\n" not in str(error.value)
        return str(error.value)


@pytest.fixture
def corpus(tmp_path):
    return Corpus(tmp_path)


def labels(found):
    return {subset: dict(Counter(u.label for u in listed)) for subset, listed in found.items()}


def speakers(found):
    return {subset: {u.speaker for u in listed} for subset, listed in found.items()}


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("asvspoof2019_pa", "PA_D_0000004.flac"),
        ("asvspoof2021_pa", "PA_E_0000002.flac"),
        ("remasc", "2.wav"),
        ("digits", "Voz1.wav"),
    ],
)
def test_other_counts_missing_recordings_and_a_missing_folder_are_named(corpus, kind, missing, monkeypatch):
    message = corpus.make(kind).refusal("allow_missing=false")
    assert " instead of the published " in message and message.endswith("corpus.allow_missing=true.")
    whole = sum(map(len, corpus.read().values()))
    assert any(text.startswith("warning: ") and "instead of the published" in text for text in corpus.said)
    for wav in corpus.root.rglob(missing):
        wav.unlink()
    assert sum(map(len, corpus.read().values())) < whole
    if kind != "digits":  # no list says what there should be
        assert any(" recordings present" in text for text in corpus.said)
        monkeypatch.setattr(published.PublishedCorpus, "check_counts", lambda *arguments, **options: None)
        message = corpus.refusal("allow_missing=false")
        assert missing in message and "no such recording (1 of the " in message
    shutil.rmtree(corpus.root)
    message = corpus.refusal()
    assert message.startswith(f"{corpus.root}") and "set corpus.root to" in message


BAD_LINES = {
    ("asvspoof2019_pa", f"{OF_2019}.train.trn.txt", "PA_1 PA_T_0 aaa - bonafide"): [
        ("PA_1 PA_T_1 aaa bonafide", "4 instead of 5 fields. "),
        ("LA_1 LA_T_1 - - bonafide", "environment '-' is not three letters a-c. "),
        ("PA_1 PA_T_1 aaa - spoof", "attack '-' of a spoof recording. "),
        ("PA_1 PA_T_1 aaa AA bonafide", "attack 'AA' of a bonafide recording. "),
        ("PA_1 PA_T_1 aaa AA fake", "unknown label 'fake'. "),
        ("PA_1 PA_T_0 aaa AA spoof", "PA_T_0 is listed twice. "),
    ],
    ("asvspoof2021_pa", OF_2021, "PA_1 PA_E_0 R3 M3 D2 - - - - bonafide notrim eval"): [
        ("LA_1 LA_E_1 alaw ita_tx A07 spoof notrim eval", "8 instead of 12 fields. This is a key of another track"),
        ("LA_1 DF_E_1 nocodec asvspoof A14 spoof notrim eval x - - - -", "13 instead of 12 fields. This is a key of "),
        ("PA_E_1000001", "1 instead of 12 fields. This is the list of names, without labels. "),
        ("PA_1 PA_E_1 R3 M3 d4 - - - - target notrim eval", "label 'target': this is the key of the speaker verifier."),
        ("PA_1 PA_E_1 R3 M3 d4 r1 m1 s4 c4 spoof eval notrim", "eval notrim instead of notrim|trim and eval|progress|"),
        ("PA_1 PA_E_1 R3 M3 d4 r1 m1 s4 c4 fake notrim eval", "unknown label 'fake'. "),
        ("PA_1 PA_E_0 R3 M3 d4 r1 m1 s4 c4 spoof notrim eval", "PA_E_0 is listed twice. "),
    ],
    ("remasc", "eval/meta.csv", "1, 2, 3, 1, 2, -1, -1, 1, 0.3"): [
        ("1, 2, 3", "not a line of 9 columns: id, type, "),
        ("1, 3, 3, 1, 2, 1, 2, 1, 0.3", "recording 1 is listed twice. "),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "file", "first"), BAD_LINES)
def test_a_line_that_cannot_be_used_is_named(corpus, kind, file, first):
    corpus.make(kind)
    for line, reason in BAD_LINES[kind, file, first]:
        (corpus.root / file).write_text(f"{first}\n{line}\n")
        assert corpus.refusal().startswith(f"{corpus.root}/{file}:2: {reason}")


# ASVspoof 2019


def test_2019_is_read_by_its_protocols(corpus):
    found = corpus.make("asvspoof2019_pa").read()
    assert labels(found) == dict.fromkeys(("train", "dev", "eval"), {"genuine": 3, "spoof": 3})
    first, last = found["dev"][0], found["dev"][-1]
    assert first.wav == f"{corpus.root}/PA/ASVspoof2019_PA_dev/flac/PA_D_0000000.flac"
    assert (last.utt, last.speaker, *last.conditions.items()) == (
        "PA_D_0000005", "PA_11",
        ("environment", "acc"), ("attack", "BC"), ("room_size", "a"), ("reverberation", "c"),
        ("talker_distance", "c"), ("attacker_distance", "B"), ("device_quality", "C"),
    )  # fmt: skip
    assert list(first.conditions.values()) == ["aac", "-", "a", "a", "c", "-", "-"]


def test_2019_may_lack_a_protocol_where_a_part_is_enough_but_logical_access_is_another_corpus(corpus):
    corpus.make("asvspoof2019_pa")
    protocol = corpus.root / f"{OF_2019}.eval.trl.txt"
    protocol.unlink()
    assert (
        list(corpus.read()) == ["train", "dev"] and "eval: no ASVspoof2019.PA.cm.eval.trl.txt; left out" in corpus.said
    )
    assert corpus.refusal("allow_missing=false").startswith(f"{protocol}: no such file. ")
    assert list(corpus.read(f"root={corpus.root}/PA")) == ["train", "dev"]
    (corpus.root / "PA").rename(corpus.root / "LA")
    assert "This is LA, logical access; this corpus is PA" in corpus.refusal()


# ASVspoof 2021


@pytest.mark.parametrize("parts", [True, False], ids=["seven parts", "one tree"])
def test_a_track_of_2021_is_an_evaluation_set(corpus, parts):
    corpus.make("asvspoof2021_pa", parts=parts)
    for track, first in (("eval", 0), ("progress", 4), ("hidden1", 8), ("hidden2", 12)):
        found = corpus.read(f"track={track}")
        assert labels(found) == {"eval": {"genuine": 2, "spoof": 2}}
        replay = found["eval"][1]
        assert replay.utt == f"PA_E_{first + 1:07d}"
        assert replay.wav.endswith(f"/ASVspoof2021_PA_eval/flac/{replay.utt}.flac")
        assert dict(replay.conditions) == {
            "room": "R3", "asv_microphone": "M3", "distance": "d4", "attacker_room": "r1", "attacker_microphone": "m1",
            "replay_device": f"s{2 + (first + 1) % 3}", "attacker_distance": "c4",
        }  # fmt: skip


def test_parts_of_2021_may_be_in_several_places_but_no_recording_in_two(corpus):
    corpus.make("asvspoof2021_pa")
    part = corpus.root / "ASVspoof2021_PA_eval_part00"
    other = shutil.copytree(part, corpus.folder / "other" / part.name)
    roots = f"root=[{corpus.root}, {other}]"
    assert "PA_E_0000000.flac: is also in " in corpus.refusal(roots)
    shutil.rmtree(part)
    assert labels(corpus.read(roots)) == {"eval": {"genuine": 2, "spoof": 2}}
    (corpus.root / OF_2021).rename(corpus.folder / "key.txt")
    assert corpus.refusal(roots).startswith(f"{corpus.root / OF_2021}: no such key. ")
    assert labels(corpus.read(roots, f"keys={corpus.folder}/key.txt")) == {"eval": {"genuine": 2, "spoof": 2}}


# ReMASC


def test_remasc_is_one_channel_of_one_recorder(corpus):
    found = corpus.make("remasc").read("channel=2", "dev=0.5")
    sizes = {"train": 2, "dev": 2, "eval": 4}
    assert labels(found) == {subset: {"genuine": size, "spoof": size} for subset, size in sizes.items()}
    assert not speakers(found)["train"] & speakers(found)["dev"]
    assert {u.channel for listed in found.values() for u in listed} == {2}
    replay = next(u for u in found["eval"] if u.label == "spoof")
    assert (replay.utt, replay.wav) == ("eval_27", f"{corpus.root}/eval/data/27.wav")
    assert dict(replay.conditions) == {
        "environment": "indoor_1", "position": "2", "source_recorder": "1", "playback": "2",
    }  # fmt: skip
    assert corpus.read("channel=2", "dev=0.5") == found
    assert corpus.read("channel=2", "dev=0.5", "seed=3") != found
    assert {u.utt for u in corpus.read("recorder=4")["eval"]}.isdisjoint({u.utt for u in found["eval"]})
    assert "channel: 3 must be at most 2 for this recorder" in corpus.refusal("channel=3")
    (corpus.root / "eval/meta.csv").unlink()
    assert list(corpus.read()) == ["train", "dev"] and "eval: no meta.csv; left out" in corpus.said


# Digits


def test_both_layouts_of_the_digits_are_the_same_corpus_but_not_in_one_folder(corpus):
    def listed():
        return [(u.utt, u.speaker, u.label, subset) for subset, of in corpus.read().items() for u in of]

    found = corpus.make("digits").read()
    assert dict(found["dev"][0].conditions) == {"language": "en_US", "digit": "0"}
    first = listed()
    assert ("en_US_03_1_playback", "en_US_03", "spoof") in [row[:3] for row in first]
    corpus.make("digits", checkout=False)
    assert "holds the corpus in two layouts" in corpus.refusal()
    shutil.rmtree(corpus.root / "soundSamples")
    assert listed() == first


def test_speakers_of_the_digits_are_in_one_subset_with_both_languages(corpus):
    corpus.make("digits", speakers=21, digits="7")
    (corpus.root / "soundSamples/separated/playback/en_US/7/Voz21.wav").unlink()
    found = speakers(corpus.read())
    assert "speakers with recordings of one class are left out: en_US_21" in corpus.said
    assert {subset: Counter(name[:5] for name in names) for subset, names in found.items()} == {
        "train": {"en_US": 10, "pt_BR": 10},
        "dev": {"en_US": 5, "pt_BR": 5},
        "eval": {"en_US": 5, "pt_BR": 6},
    }
    assert len(set.union(*found.values())) == 41
    assert speakers(corpus.read("seed=2"))["dev"] != found["dev"]


def test_the_real_digits_are_complete(corpus, real_data):
    corpus.yaml = miniature_corpora.write_yaml(corpus.root, "digits")
    found = corpus.read(f"root={real_data}/real_replays/digits", "allow_missing=false")
    assert corpus.said == []
    assert labels(found) == {
        "train": {"genuine": 200, "spoof": 200},
        "dev": {"genuine": 100, "spoof": 100},
        "eval": {"genuine": 110, "spoof": 110},
    }


# Pools


def write_pool(corpus, *members):
    corpus.yaml = corpus.folder / "pool.yaml"
    corpus.yaml.write_text(f"kind: pool\nname: both\nmembers: [{', '.join(map(str, members))}]\n")
    return corpus


def test_a_pool_joins_its_members(corpus):
    members = [corpus.make("digits"), Corpus(corpus.folder / "b").make("asvspoof2021_pa")]
    digits, pa = (member.read() for member in members)
    found = write_pool(corpus, *(member.yaml for member in members)).read()
    assert {s: len(of) for s, of in found.items()} == {s: len(digits[s]) + 4 * (s == "eval") for s in digits}
    columns = ["corpus", "language", "digit", *pa["eval"][0].conditions]
    assert {tuple(u.conditions) for listed in found.values() for u in listed} == {tuple(columns)}
    first, last = found["eval"][0], found["eval"][-1]
    assert first.utt == f"digits-{digits['eval'][0].utt}" and first.speaker.startswith("digits-")
    assert list(first.conditions.values())[:4] == ["digits", "en_US", "0", "-"]
    assert list(last.conditions.values())[:4] == ["asvspoof2021_pa", "-", "-", "R3"]


def test_a_pool_names_what_it_cannot_join(corpus):
    member, pool = corpus.make("digits").yaml, corpus.folder / "pool.yaml"
    for members, reason in (
        ([member, member], "a second corpus with the name digits. Rename one."),
        ([pool], f"{pool}: is itself a pool. "),
        (["nothing"], "nothing.yaml: no such file; choose one of: "),
    ):
        assert reason in write_pool(corpus, *members).refusal()
