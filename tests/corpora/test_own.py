"""Corpora of the user's: data directories, and a table of labels."""

import pytest

from afn.common import config, paths
from afn.common.errors import UserError
from afn.corpora.datadir import Utterance
from afn.corpora.own import OwnCorpus


@pytest.fixture
def directories(tmp_path):
    """Two data directories with the two tables that are needed."""
    labels = {"train": {"b_1": "spoof", "B_1": "bonafide"}, "eval": {"e_1": "spoof", "e_2": "bona-fide"}}
    for subset, of in labels.items():
        (tmp_path / subset).mkdir()
        (tmp_path / subset / "wav.scp").write_text("".join(f"{utt} {tmp_path}/{subset}/{utt}.wav\n" for utt in of))
        (tmp_path / subset / "utt2label").write_text("".join(f"{utt} {label}\n" for utt, label in of.items()))
    return {subset: tmp_path / subset for subset in labels}


def build(**settings):
    settings = {key: value if key in ("split", "seed", "channel") else str(value) for key, value in settings.items()}
    return config.build(OwnCorpus, {"kind": "datadir", "name": "mine", **settings}, "own.yaml")


def read(given, said=None, **options):
    say = [].append if said is None else said.append
    return build(**given, **options).utterances(paths.ROOT / "nowhere", say=say)


def refusal(given, **options):
    with pytest.raises(UserError) as error:
        read(given, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


# data directories


def test_the_two_needed_tables_suffice(directories):
    said = []
    found = read(directories, said)
    folder = directories["train"]
    assert found["train"] == [
        Utterance("B_1", f"{folder}/B_1.wav", "B_1", "genuine"),
        Utterance("b_1", f"{folder}/b_1.wav", "b_1", "spoof"),
    ]
    assert list(found) == ["train", "eval"]
    assert [text.split(";")[0] for text in said] == [
        f"{subset}: no {table}" for subset in ("train", "eval") for table in ("utt2spk", "utt2cond")
    ]


def test_speakers_and_conditions_are_read_and_all_subsets_have_the_same_columns(directories):
    (directories["train"] / "utt2cond").write_text("#utt place recorder\nB_1 home R1\nb_1 - R2\n")
    (directories["eval"] / "utt2spk").write_text("e_1 anna\ne_2 bert\n")
    (directories["eval"] / "utt2cond").write_text("e_1 E01 P02 R03\ne_2 - - -\n")
    found = read(directories)
    assert [(u.speaker, *u.conditions.items()) for u in found["eval"]] == [
        ("anna", ("place", "-"), ("recorder", "R03"), ("environment", "E01"), ("playback", "P02")),
        ("bert", ("place", "-"), ("recorder", "-"), ("environment", "-"), ("playback", "-")),
    ]
    assert [tuple(u.conditions.values()) for u in found["train"]] == [("home", "R1", "-", "-"), ("-", "R2", "-", "-")]


def test_segments_are_parts_of_recordings(directories):
    folder = directories["train"]
    (folder / "wav.scp").write_text("tape /tapes/one.wav\nunused /tapes/two.wav\n")
    (folder / "segments").write_text("b_1 tape 0.5 2\nB_1 tape 2 -1\n")
    found = read(directories, channel=2)["train"]
    assert [(u.utt, u.wav, u.channel, u.start, u.end) for u in found] == [
        ("B_1", "/tapes/one.wav", 2, 2.0, None),
        ("b_1", "/tapes/one.wav", 2, 0.5, 2.0),
    ]


NEEDED = ": no such file. A data directory of your own needs wav.scp and utt2label"


@pytest.mark.parametrize(
    ("table", "content", "reason"),
    [
        ("wav.scp", None, f"/wav.scp{NEEDED}"),
        ("utt2label", None, f"/utt2label{NEEDED}"),
        ("utt2label", "b_1 spoof", ": wav.scp and utt2label disagree about B_1. "),
        ("wav.scp", "b_1 touch ran |\nB_1 a.wav", ": utterance b_1: 'touch ran |' is a pipe, a shell command"),
        ("segments", "b_1 other 0 1", "/segments:1: recording other is not in wav.scp. "),
        ("segments", "b_1 b_1 1 1", "/segments:1: a segment from 1 to 1 s. "),
        ("segments", "b_1 b_1 -1 1", "/segments:1: a segment from -1 to 1 s. "),
        ("segments", "b_1 b_1 0 x", "/segments:1: 'x' is not a finite number. "),
        ("segments", "b_1 b_1 0 1", ": segments and utt2label disagree about B_1. "),
    ],
)
def test_tables_that_cannot_be_used_are_named(directories, table, content, reason):
    path = directories["train"] / table
    path.write_text(f"{content}\n") if content else path.unlink()
    assert refusal(directories).startswith(f"{directories['train']}{reason}")


def test_inputs_are_located(directories, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    inputs = build(train="~/train", eval="data/mine/eval").inputs()
    assert inputs == {"train": tmp_path / "train", "eval": paths.ROOT / "data/mine/eval"}
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (directories["train"] / "wav.scp").write_text("b_1 wav/b_1.wav\nB_1 wav/../wav/B_1.wav\n")
    assert [u.wav for u in read(directories)["train"]] == ["wav/B_1.wav", "wav/b_1.wav"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "own.yaml: train, dev, eval: none is given; "),
        ({"labels": "a.csv", "dev": "a"}, "own.yaml: labels: given beside train, dev or eval"),
        ({"dev": "a", "split": [1, 1, 1]}, "own.yaml: audio, split: they need a table"),
        ({"labels": "a.csv", "split": [0, 0, 0]}, "own.yaml: split: all shares are 0"),
        ({"dev": "/no/dev"}, "/no/dev: no such data directory. Correct corpus.dev."),
        ({"labels": "/no.csv", "audio": "/"}, "/no.csv: no such file or directory. Correct corpus.labels."),
        ({"labels": "/no.csv", "audio": "/no"}, "/no: no such folder. Correct corpus.audio."),
    ],
)
def test_one_form_must_be_chosen_and_its_files_must_exist(settings, reason):
    assert refusal({}, **settings).startswith(reason)


# a table of labels

TABLE = """file,label,speaker,Loud Speaker
anna/1.flac,bonafide,anna,
anna/2.flac,spoof,anna,big box
bert 3.wav,bona-fide,bert,
/elsewhere/4.mp3,spoof,bert,phone
"""


@pytest.fixture
def table(tmp_path):
    def make(text):
        (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
        return {"labels": tmp_path / "labels.csv"}

    return make


def test_a_table_without_subsets_is_an_evaluation_set(table, tmp_path):
    said = []
    (tmp_path / "audio").mkdir()
    found = read(table(TABLE), said, audio=tmp_path / "audio")
    assert [(u.utt, u.wav, u.speaker, u.label, *u.conditions.items()) for u in found["eval"]] == [
        ("anna_1", f"{tmp_path}/audio/anna/1.flac", "anna", "genuine", ("Loud_Speaker", "-")),
        ("anna_2", f"{tmp_path}/audio/anna/2.flac", "anna", "spoof", ("Loud_Speaker", "big_box")),
        ("bert_3", f"{tmp_path}/audio/bert 3.wav", "bert", "genuine", ("Loud_Speaker", "-")),
        ("4", "/elsewhere/4.mp3", "bert", "spoof", ("Loud_Speaker", "phone")),
    ]
    assert list(found) == ["eval"]
    assert said == ["labels.csv: no column subset; all recordings are eval (corpus.split divides them)"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_the_separator_and_the_order_of_columns_do_not_matter(table, separator):
    found = read(table('\ufefflabel,subset,file\nspoof,dev,a.wav\n"genuine",train,b.wav\n\n'.replace(",", separator)))
    assert {subset: [(u.utt, u.speaker, u.label) for u in of] for subset, of in found.items()} == {
        "train": [("b", "b", "genuine")],
        "dev": [("a", "a", "spoof")],
    }


def test_files_start_at_the_table_and_may_lack_their_ending(table, tmp_path):
    for name in ("b.1.flac", "c.wav", "c.flac"):  # which of the last two is not known
        (tmp_path / name).touch()
    found = read(table("file,label\nb.1,spoof\nc,genuine\n"))["eval"]
    assert [(u.utt, u.wav) for u in found] == [("b.1", f"{tmp_path}/b.1.flac"), ("c", f"{tmp_path}/c")]


def test_speakers_are_divided_with_their_classes(table):
    lines = [f"{name}{i}.wav,{label},{name}" for name in "abcdefghij" for i, label in enumerate(("genuine", "spoof"))]
    lines += [f"{name}{i}.wav,genuine,{name}" for name in "klmnopqrst" for i in range(3)]
    given = table("\n".join(["file,label,speaker", *lines]))
    found = read(given, split=[0.5, 0.2, 0.3])
    speakers = {subset: {u.speaker for u in listed} for subset, listed in found.items()}
    assert [len(names) for names in speakers.values()] == [10, 4, 6]
    assert [len(names & set("abcdefghij")) for names in speakers.values()] == [5, 2, 3]
    assert sum(len(listed) for listed in found.values()) == 50
    assert read(given, split=[0.5, 0.2, 0.3]) == found
    assert read(given, split=[0.5, 0.2, 0.3], seed=2) != found
    assert list(read(given, split=[0, 1, 1])) == ["dev", "eval"]


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("", {}, "labels.csv: no column file (the file is empty). Begin with a line of names: file,label,…"),
        ("file,name\n", {}, "labels.csv:1: no column label (columns file, name). "),
        ("file,label,label\n", {}, "labels.csv:1: a column has no name, or the name of another"),
        ("file,label\n", {}, "labels.csv: no line below the names of the columns. "),
        ("file,label\na.wav,fake\n", {}, "labels.csv:2: unknown label 'fake'. "),
        ("file,label\na.wav\n", {}, "labels.csv:2: 1 instead of 2 fields. "),
        ("file,label\n,spoof\n", {}, "labels.csv:2: '' is not the name of a file. "),
        ("file,label,subset\na.wav,spoof,test\n", {}, "labels.csv:2: unknown subset 'test'. Write train, dev, eval."),
        ("file,label\na/b.wav,spoof\na_b.wav,spoof\n", {}, "labels.csv:3: a_b.wav has the id a_b, as in "),
        ('file,label\n"a.wav,spoof\n', {}, "labels.csv: not a CSV or TSV file (unexpected end of data). "),
        ("file,label,subset\na,spoof,dev\n", {"split": [1, 1, 1]}, "labels.csv: has a column subset, and corpus.split"),
        ("file,label\na,spoof\nb,spoof\n", {"split": [1, 1, 1]}, "dev: no speaker is left for it: 2 speakers are too"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_named(table, tmp_path, text, options, reason):
    assert refusal(table(text), **options).removeprefix(f"{tmp_path}/").startswith(reason)
