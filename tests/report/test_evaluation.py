"""The script of stage 3 on a corpus of made-up scores."""

import html
import shutil
import statistics
from types import SimpleNamespace

import pytest

from afn.common import owned, record
from afn.common.errors import UserError
from afn.metrics import eer, score_files
from afn.report import evaluation
from made_up_corpus import AFN, Tree, row, sure


def test_a_users_file_of_the_same_name_is_not_overwritten(main, tree):
    (tree.exp / "RESULTS.md").write_text("mine\n")
    with pytest.raises(UserError, match=r"contains RESULTS\.md, which this project did not make; nothing was changed"):
        main(*tree.arguments)
    assert (tree.exp / "RESULTS.md").read_text() == "mine\n" and not (tree.exp / "results.json").exists()


def test_results_of_two_systems_with_three_seeds(main, tree):
    printed = main(*tree.arguments)
    content = tree.json
    assert [system["name"] for system in content["systems"]] == ["afn", "drn"]
    assert content["subsets"] == {"dev": {"genuine": 40, "spoof": 50}, "eval": {"genuine": 60, "spoof": 90}}
    assert content["corpus"] == {"name": "made_up", "kind": "datadir"}
    for system in content["systems"]:
        assert system["seeds"] == system["averaged_seeds"] == [1, 2, 3]
        assert system["remarks"] == []
        for subset in ("dev", "eval"):
            found = system[subset]
            averaged = tree.classes(f"{system['name']}/scores", subset)
            assert found["averaged"]["official_threshold"] == eer.official_threshold(*averaged)
            for definition in eer.DEFINITIONS:
                name = definition.name
                files = {str(seed): f"{system['name']}/seed{seed}/scores" for seed in (1, 2, 3)}
                per_seed = {s: 100 * definition.compute(*tree.classes(file, subset)) for s, file in files.items()}
                assert {s: figures[name] for s, figures in found["per_seed"].items()} == per_seed
                assert found["mean"][name] == pytest.approx(statistics.mean(per_seed.values()))
                assert found["standard_deviation"][name] == pytest.approx(statistics.stdev(per_seed.values()))
                assert found["averaged"][name] == 100 * definition.compute(*averaged)
    dev, evaluation = content["systems"][0]["dev"], content["systems"][0]["eval"]
    linear = [
        *(f"{s['mean']['linear_roc']:.2f} ± {s['standard_deviation']['linear_roc']:.2f}" for s in (dev, evaluation)),
        *(sure(s["averaged"]["linear_roc"], s["interval"]) for s in (dev, evaluation)),
    ]
    assert row(tree.page, AFN) == [AFN, "train", "1-3", *linear]
    names = [definition.name for definition in eer.DEFINITIONS]
    by_definition = [f"{s['averaged'][name]:.2f}" for name in names for s in (dev, evaluation)]
    by_definition += [f"{s['averaged']['min_dcf']:.3f}" for s in (dev, evaluation)]
    assert row(tree.page, AFN, 2)[1:] == by_definition
    first = [sure(s["per_seed"]["1"]["linear_roc"], s["per_seed_interval"]["1"]) for s in (dev, evaluation)]
    assert row(tree.page, AFN, 3) == [AFN, "1", *first]
    assert "](det.png)" in tree.page and (tree.exp / "det.png").read_bytes().startswith(b"\x89PNG")
    assert AFN in printed and linear[1] in printed and str(tree.exp / "RESULTS.md") in printed


def without_a_seeds_scores(tree):
    (tree.exp / "drn" / "seed2" / "scores" / "eval.txt").unlink()
    (tree.exp / "drn" / "seed7").mkdir()


def an_earlier_training(tree):
    path = tree.exp / "drn" / "seed2" / "scores" / "eval.txt"
    score_files.write(path, {utt: score + 1 for utt, score in score_files.read(path).items()})


@pytest.mark.parametrize(
    ("change", "seeds", "of_eval", "remark"),
    [
        (without_a_seeds_scores, [1, 2, 3], ["1", "3"], "no eval scores of seed 2; run stage 2 with --force"),
        (lambda tree: tree.average("drn", [1, 2]), [1, 2, 3], ["1", "2", "3"],
         "the averaged scores are of seeds 1-2, the single ones of seeds 1-3; run stage 2"),
        (an_earlier_training, [1, 2, 3], ["1", "2", "3"],
         "the averaged scores are older than those of seed 2; run stage 2"),
        (lambda tree: record.remove(tree.exp / "drn" / "seed3" / "scores"), [1, 2], ["1", "2"],
         "the averaged scores are of seeds 1-3, the single ones of seeds 1-2; run stage 2"),
        (lambda tree: record.remove(tree.exp / "drn" / "scores"), [1, 2, 3], ["1", "2", "3"],
         "no averaged dev scores; run stage 2"),
    ],
    ids=["absent", "others", "earlier", "seed incomplete", "average incomplete"],
)  # fmt: skip
def test_seeds_that_do_not_count_and_averages_of_others_are_named(main, tree, change, seeds, of_eval, remark):
    change(tree)
    printed = main(*tree.arguments)
    system = tree.json["systems"][1]
    assert system["seeds"] == seeds and list(system["eval"]["per_seed"]) == of_eval
    assert system["remarks"][0] == remark
    assert f"DRN(ReLU): {remark}" in tree.page and f"DRN(ReLU): {remark}" in printed


def test_seeds_of_other_settings_or_without_a_readable_record_are_left_out_and_named(main, tree):
    tree.system("drn", 0.1, seeds=(4,), title="DRN(ReLU)", averaged=False, train={"epochs": 3})
    printed = main(*tree.arguments)
    drn = tree.json["systems"][1]
    assert drn["seeds"] == [1, 2, 3] and list(drn["eval"]["per_seed"]) == ["1", "2", "3"]
    (remark,) = drn["remarks"]
    assert remark.startswith("seed 4 is left out") and "train.epochs" in remark
    assert f"DRN(ReLU): {remark}" in tree.page and f"DRN(ReLU): {remark}" in printed
    assert remark in html.unescape(tree.report)
    (tree.exp / "drn" / "seed4" / "config.yaml").write_text("[")
    main(*tree.arguments)
    (remark,) = tree.json["systems"][1]["remarks"]
    assert remark.startswith("seed 4 is left out: ") and "seed4/config.yaml: not a YAML file" in remark


def test_absent_averaged_scores_are_pointed_out(main, tmp_path):
    tree = Tree(tmp_path)
    tree.system("afn", 1.5, title=AFN, averaged=False)
    owned.claim(tree.exp, evaluation.OURS)
    (tree.exp / "det.png").write_bytes(b"of older scores")
    main(*tree.arguments)
    assert row(tree.page, AFN)[5:] == ["–", "–"]
    assert len(tree.json["systems"][0]["remarks"]) == 2
    assert not (tree.exp / "det.png").exists() and "det.png" not in tree.page


@pytest.mark.parametrize(
    ("sizes", "cell"), [({"dev": (40, 50)}, "–"), ({"dev": (7, 5), "eval": (0, 3)}, "one class only")]
)
def test_a_subset_that_is_absent_or_of_one_class_is_no_error(main, tmp_path, sizes, cell):
    tree = Tree(tmp_path, sizes=sizes)
    for name in ("nameless", "afn", "afn_short"):
        tree.system(name, 1.5, title=AFN if name != "nameless" else "", seeds=(4,))
    main(*tree.arguments)
    titles = [system["title"] for system in tree.json["systems"]]
    assert sorted(titles) == [f"{AFN} [afn]", f"{AFN} [afn_short]", "nameless"]
    found = row(tree.page, "nameless")
    assert found[2] == "4" and found[3].endswith(" ± –") and found[4:7:2] == [cell, cell]
    assert tree.json["systems"][0]["remarks"] == []


@pytest.mark.slow
def test_the_papers_figures_stand_beside_those_on_the_complete_asvspoof2017(main, tmp_path):
    tree = Tree(tmp_path, kind="asvspoof2017", sizes={"dev": (760, 950), "eval": (1298, 12008)})
    tree.system("afn", 1.5, title=AFN, paper={"dev": 6.55, "eval": 8.99})
    tree.system("mine", 1.4, title="mine", paper={"dev": None})
    printed = main(*tree.arguments)
    assert "eval, paper" in tree.page and "eval, paper" in printed
    assert row(tree.page, AFN)[7:] == ["6.55", "8.99"]
    assert row(tree.page, "mine")[7:] == ["–", "–"]
    assert "The paper's 8.99 %" in tree.page and "grey" not in tree.report.split("</style>")[1]
    assert [system["eval"]["paper"] for system in tree.json["systems"]] == [8.99, None]


def test_what_is_missing_or_does_not_match_is_refused_and_nothing_is_written(main, tree):
    path = tree.exp / "drn" / "seed3" / "scores" / "dev.txt"
    path.write_text(path.read_text().replace("D_7 ", "D_700 "))
    with pytest.raises(UserError, match=r"seed3/scores/dev\.txt: no score for D_7 and no label in .* for D_700"):
        main(*tree.arguments)
    assert not [path for path in tree.exp.iterdir() if path.is_file()]
    settings = tree.root / "data" / "made_up" / "config.yaml"
    settings.rename(tree.root / "kept")
    with pytest.raises(UserError, match="Run stage -2 first"):
        main(*tree.arguments)
    (tree.root / "kept").rename(settings)
    shutil.rmtree(tree.exp)
    (tree.exp / "afn" / "seed1").mkdir(parents=True)
    with pytest.raises(UserError, match="Run stage 2 first"):
        main(*tree.arguments)


def test_the_corpus_names_its_speaker_verifier(tmp_path):
    scores = {"target": 3.0, "nontarget": -1.0, "spoof": 2.0}
    path = tmp_path / "asv.txt"
    path.write_text("".join(f"- {kind} {score}\n" for kind, score in scores.items()))
    found = evaluation.verifier_of(SimpleNamespace(asv_scores=str(path)))
    assert (found.threshold, found.false_alarm_spoof) == (-1.0, 1.0)
    assert evaluation.verifier_of(SimpleNamespace(asv_scores=None)) is None
    assert evaluation.verifier_of(SimpleNamespace()) is None
