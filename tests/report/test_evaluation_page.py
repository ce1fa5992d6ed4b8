"""The script of stage 3 on a corpus of made-up scores: rows, fusions, calibration, the t-DCF, and the page."""

import base64
import json
import re
from html import unescape

import numpy as np
import pytest

import made_up_corpus
from afn.common import config, record
from afn.common.errors import UserError
from afn.metrics import calibration, eer, fusion, score_files, tdcf
from afn.report import evaluation
from afn.systems.neural import maps
from made_up_corpus import AFN, Tree, row


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # classes nearly apart
def test_every_yaml_is_a_row_run_or_not(main, tree):
    tree.system("gmm", 1.0, title="GMM", recipe="cqcc_gmm_cmvn_pooled")
    tree.row("afn", AFN, "{dev: 6.55, eval: 8.99, note: the width is ours}")
    tree.row("lcnn", "LCNN", "{dev: 6.47, eval: 16.08, note: the height is ours}")
    tree.row("absent", "Absent")
    printed = main(*tree.arguments)
    assert [(s["name"], s["title"], s["trained_on"]) for s in tree.json["systems"]] == [
        ("afn", AFN, "train"), ("drn", "DRN(ReLU)", "train"), ("gmm", "GMM", "train+dev")
    ]  # fmt: skip
    assert {row(tree.page, title)[1] for title in ("GMM", AFN)} == {"train+dev", "train"}
    assert tree.json["not_run"] == ["lcnn", "absent"]
    assert "not run: lcnn, absent\n" in printed and "Not run: lcnn, absent\n" in tree.page
    assert "16.08" in tree.report and "16.08" not in tree.page and "| LCNN |" not in tree.page
    for page in (tree.page, tree.report):
        assert "GMM: trained on dev as well" in page and f"{AFN}: the width is ours" in page
        assert "the height is ours" not in page


def test_a_fusion_is_that_of_its_members_averaged_scores(main, tree, read_page):
    tree.fusion("pair", "[afn, drn]", "{dev: 6.37, eval: 8.80}")
    tree.fusion("lacking", "[afn, lcnn]")
    tree.fusion("everything", "all")
    printed = main(*tree.arguments)
    found = {fused["name"]: fused for fused in tree.json["fusions"]}
    page = read_page(tree.report)
    assert found["lacking"]["run"] is False and "not run: fusion lacking\n" in printed
    assert page.row("fusion lacking")[1:] == ["no averaged dev scores of lcnn", "–", "–"]
    trials = {subset: tree.trials(subset) for subset in ("dev", "eval")}
    dev, test = (
        np.column_stack([of.vector(score_files.read(tree.exp / m / f"scores/{subset}.txt")) for m in ("afn", "drn")])
        for subset, of in trials.items()
    )
    model = fusion.train(dev, trials["dev"].genuine, ["afn", "drn"])
    llrs, genuine = model.llrs(test), trials["eval"].genuine
    for name in ("pair", "everything"):
        assert found[name]["fusion"] == model.plain() and "paper" not in found[name]
        assert found[name]["eval"]["fused"]["linear_roc"] == 100 * eer.linear_roc_eer(llrs[genuine], llrs[~genuine])
        assert str(model) in printed and str(model) in tree.page
        kept = score_files.read(tree.exp / "fusion" / name / "scores" / "eval.txt")
        assert trials["eval"].vector(kept) == pytest.approx(llrs, rel=1e-15)
    assert config.read(tree.exp / "fusion" / "pair" / "fusion.json")["members"] == model.plain()["members"]
    validated = fusion.cross_validate(dev, trials["dev"], ["afn", "drn"])
    expected = 100 * eer.linear_roc_eer(validated.genuine, validated.spoof)
    assert found["pair"]["dev"]["trained_on"] and found["pair"]["dev"]["cross_validated"]["linear_roc"] == expected
    assert row(tree.page, "fusion pair")[3] == f"{expected:.2f}"
    cost = found["pair"]["cost"]["eval"]
    shown = [*row(tree.page, "fusion pair")[1:], f"{cost['cllr']:.3f} (min {cost['min_cllr']:.3f})"]
    assert page.row("fusion pair")[1:6] == shown and page.row("fusion pair")[-2:] == ["6.37", "8.80"]
    best, *others = sorted(tree.json["systems"], key=lambda system: system["dev"]["averaged"]["linear_roc"])
    differences, summary = tree.json["differences"], tree.json["summary"][0]
    assert (differences["subset"], differences["to"]) == ("eval", best["title"])
    for of in others:
        between = of["eval"]["averaged"]["linear_roc"] - best["eval"]["averaged"]["linear_roc"]
        found = differences["systems"][of["title"]]
        assert found["value"] == pytest.approx(between, abs=1e-12)
        shown = f"{found['value']:+.2f} [{found['low']:+.2f}, {found['high']:+.2f}]"
        assert [of["title"], shown] in [row[:2] for row in page.rows]
    for page in (tree.page, printed, unescape(tree.report)):
        assert best["title"] in summary and summary in page and tree.json["remark"] in page


def test_fused_scores_are_no_system_and_do_not_outlive_their_fusion(main, tree):
    tree.fusion("pair", "[afn, drn]")
    main(*tree.arguments)
    assert (tree.exp / "fusion" / "pair" / "scores" / "dev.txt").is_file()
    (tree.root / "conf" / "fusion" / "pair.yaml").unlink()
    record.remove(tree.exp / "drn" / "scores")
    main(*tree.arguments)
    assert [system["name"] for system in tree.json["systems"]] == ["afn", "drn"]
    assert not (tree.exp / "fusion" / "pair").exists() and not (tree.exp / "drn" / "calibrated").exists()
    assert (tree.exp / "afn" / "calibrated" / "eval.txt").is_file()


def test_the_worst_recordings_are_those_of_the_averaged_scores(main, tree):
    main(*tree.arguments)
    worst = tree.json["systems"][0]["worst"]
    scores = score_files.read(tree.exp / "afn" / "scores" / "eval.txt")
    threshold = eer.official_threshold(*tree.classes("afn/scores", "dev"))
    assert worst["threshold"] == {"value": threshold, "of": "dev"}
    for label, sign in (("genuine", 1), ("spoof", -1)):
        of_class = [utt for utt, wanted in tree.labels["eval"].items() if wanted == label]
        expected = sorted(of_class, key=lambda utt: sign * scores[utt])[:10]
        shown = worst["recordings"][label]
        assert [of["utt"] for of in shown] == expected
        assert [of["error"] for of in shown] == [(scores[utt] <= threshold) == (sign > 0) for utt in expected]
        assert all(f"| {utt} | " in tree.page and f">{utt}<" in tree.report for utt in expected)
    assert worst["recordings"]["spoof"][0]["condition"].split()[1] == "P01"
    assert "<audio" not in tree.report  # no file exists


def test_calibration_breakdown_and_minimum_tdcf_are_those_of_the_averaged_scores(main, tmp_path, read_page):
    tree = Tree(tmp_path)
    tree.system("afn", 1.5, title=AFN)
    tree.fusion("everything", "all")
    rng = np.random.default_rng(3)
    scores = {kind: rng.normal(mean, size=40) for kind, mean in (("target", 3), ("nontarget", 0), ("spoof", 2))}
    lines = [f"u{i} {kind} {score}\n" for kind, of_kind in scores.items() for i, score in enumerate(of_kind.tolist())]
    (tree.root / "asv.txt").write_text("".join(lines))
    main(*tree.arguments, "--asv-scores", tree.root / "asv.txt")
    for year in (2019, 2021):
        expected = tdcf.minimum(*tree.classes("afn/scores", "eval"), tdcf.verifier(*scores.values()), year).minimum
        assert tree.json["minimum_tdcf"]["systems"][AFN][str(year)]["minimum"] == expected
        assert f"{expected:.4f}" in tree.report
    assert tree.json["fusions"][0]["reason"] == "1 system to fuse"
    cost = tree.json["systems"][0]["calibration"]["cost"]["eval"]
    assert cost["cllr"] == pytest.approx(calibration.cllr(*tree.classes("afn/calibrated", "eval")), rel=1e-12)
    assert f"{cost['cllr']:.3f} (min {cost['min_cllr']:.3f})" in tree.page
    kept = json.loads((tree.exp / "afn" / "calibrated" / "calibration.json").read_text())
    assert kept["logits"] is True  # the averaged scores are means of sigmoids
    groups = {(g["factor"], g["code"]): g for g in tree.json["breakdown"]["groups"]}
    assert {code for factor, code in groups if factor == "recorder"} == {"R00", "R01", "R02", "R03"}
    trials, chosen = tree.trials("eval"), groups["recorder", "R02"]
    vector = trials.vector(score_files.read(tree.exp / "afn" / "scores" / "eval.txt"))
    replays = trials.conditions["recorder"] == "R02"
    assert chosen["eer"][AFN] == 100 * eer.linear_roc_eer(vector[trials.genuine], vector[replays])
    assert chosen["replays"] == np.sum(replays)
    page = read_page(tree.report)
    assert page.row(chosen["label"]) == [chosen["label"], str(chosen["replays"]), f"{chosen['eer'][AFN]:.1f}"]
    assert page.row(AFN)[7] == f"{cost['cllr']:.3f} (min {cost['min_cllr']:.3f})"


@pytest.mark.slow
def test_chosen_systems_are_on_the_det_curves_and_fusions_not_on_the_dev_scores_that_trained_them(
    main, tree, monkeypatch
):
    tree.fusion("pair", "[afn, drn]")
    seen = []
    monkeypatch.setattr(evaluation.plots, "det_png", lambda panels: seen.append(panels) or made_up_corpus.BLANK)
    main(*tree.arguments)
    main(*tree.arguments, "--det", "afn", "pair")
    every, chosen = ({s: [found.title for found in listed] for s, listed in panels.items()} for panels in seen)
    assert every == {"dev": [AFN, "DRN(ReLU)"], "eval": [AFN, "DRN(ReLU)", "fusion pair"]}
    assert chosen == {"dev": [AFN], "eval": [AFN, "fusion pair"]}
    with pytest.raises(UserError, match="--det lcnn: neither a system with scores nor a fusion. Known: afn, drn, pair"):
        main(*tree.arguments, "--det", "lcnn")


@pytest.mark.slow
def test_the_page_shows_what_the_seeds_left(main, tree):
    leave_everything(tree)
    texts = "No training curves", "No seed with scores has a record", "No attention has been drawn"
    record.remove(tree.exp / "afn" / "attention")
    main(*tree.arguments)
    assert texts[2] in tree.report  # stage 1 has not finished
    record.write(tree.exp / "afn" / "attention", {"seed": 1})
    main(*tree.arguments)
    assert "src/train.py --seeds 1-3" in tree.report and "torch 9.9" in tree.report and "cccccccccccc+" in tree.report
    assert "E_0, genuine" in tree.report and "E_70, spoof" in tree.report
    assert not any(text in tree.report for text in texts)
    tree.write("exp/made_up/afn/seed1/env.json", "{")
    with pytest.raises(UserError, match=r"afn/seed1/env\.json: not a JSON file"):
        main(*tree.arguments)
    tree.write("exp/made_up/afn/seed1/env.json", "{}")
    tree.write("exp/made_up/afn/attention/maps.npz", "no zip")
    with pytest.raises(UserError, match=r"attention/maps\.npz: not the arrays of heatmaps. Run stage 1 with --force"):
        main(*tree.arguments)


@pytest.mark.slow
def test_the_results_are_the_same_bytes_every_time_and_the_page_needs_nothing_but_itself(
    monkeypatch, capsys, tree, tmp_path
):
    def outputs():
        made = [path for path in tree.exp.rglob("*") if path.is_file() and "seed" not in str(path)]
        return {str(path.relative_to(tree.exp)): path.read_bytes() for path in made}

    leave_everything(tree)
    tree.fusion("pair", "[afn, drn]")
    drawing = made_up_corpus.runner(monkeypatch, capsys, tmp_path)
    drawing(*tree.arguments)
    first, page = outputs(), tree.report
    drawing(*tree.arguments, "--force")
    assert outputs() == first
    of_all = {".afn", "RESULTS.md", "det.png", "report.html", "results.json"}
    assert {name for name in first if "/" not in name} == of_all
    assert {"fusion/pair/fusion.json", "fusion/pair/scores/eval.txt", "afn/calibrated/dev.txt"} < first.keys()
    assert not any(str(tree.root).encode() in content for content in first.values())
    assert not re.search(r"https?://|@import|<script|<link|<iframe|url\(", page)
    sources = re.findall(r'(?:src|href|srcset)="([^"]*)"', page)
    images = [source for source in sources if not source.startswith("#")]
    # DET, scores of systems and of fusions, two utterances, profiles, training
    assert len(images) == page.count("<img ") == 7
    for image in images:
        head, data = image.split(",")
        assert head == "data:image/png;base64" and base64.b64decode(data, validate=True).startswith(b"\x89PNG")
    assert {f"#{name}" for name in re.findall(r'<section id="([^"]*)"', page)} == set(sources) - set(images)
    assert not re.search(r'[\s">(]/(home|root|tmp|work|usr|opt|nowhere)', page)


def leave_everything(tree):
    """What trainings and stage 1 leave beside scores."""
    left = {"command": ["src/train.py", "--seeds", "1-3"], "packages": {"torch": "9.9"}, "commit": "c" * 40 + "+"}
    for seed in (1, 2):
        tree.write(f"exp/made_up/afn/seed{seed}/env.json", json.dumps([left]))
        lines = "epoch,train_loss,dev_loss,dev_eer\n1,0.7,0.6,20\n2,0.5,0.4,10\n"
        tree.write(f"exp/made_up/afn/seed{seed}/metrics.csv", lines)
    tree.write("exp/made_up/drn/seed1/metrics.csv", "iteration,likelihood\n1,-3\n")  # not a network's
    utts = {"E_0": "genuine", "E_70": "spoof"}
    arrays = {utt: np.random.default_rng(0).random((257, 90)) for utt in utts}
    profiles = {label: (np.ones(257), np.zeros(257)) for label in utts.values()}
    kept = maps.Maps(1, utts, arrays, arrays, profiles, dict.fromkeys(profiles, 2))
    maps.write(tree.exp / "afn" / "attention" / maps.NAME, kept)
    record.write(tree.exp / "afn" / "attention", {"seed": 1})


@pytest.mark.parametrize("sizes", [{"dev": (3, 0), "eval": (0, 2)}, {"eval": (2, 3)}, {"dev": (1, 1), "eval": (1, 1)}])
def test_a_corpus_too_small_for_a_part_still_has_a_page(main, tmp_path, sizes):
    tree = Tree(tmp_path, sizes=sizes)
    tree.system("afn", 1.5, title=AFN)
    tree.system("drn", 1.2, title="DRN(ReLU)")
    tree.fusion("pair", "[afn, drn]")
    main(*tree.arguments)
    assert tree.report.endswith("</html>\n") and tree.page
    if "dev" not in sizes:
        assert tree.json["fusions"][0]["reason"] == "no averaged dev scores of afn, drn"
        assert "differences" not in tree.json and "no two systems" in tree.report
    elif not sizes["dev"][1]:
        assert "no spoof utterance to train a fusion on" in tree.report
        assert "No averaged scores of both classes to draw" in tree.report
