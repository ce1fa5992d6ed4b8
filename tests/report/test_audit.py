"""The shortcut audit of stage 3: nuisances alone and together beside systems, and what is said of both."""

from html import unescape

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from afn.features import nuisance
from afn.metrics import eer
from made_up_corpus import AFN, Tree

SIZES = {"train": (40, 40), "dev": (40, 50), "eval": (60, 90)}
NAMES = list(nuisance.NUISANCES)
# How far genuine speech lies above replays, in deviations: on train and dev, and on eval
APART = {"level": (3.0, 3.0), "snr": (2.0, 2.5), "duration": (-1.0, -1.2), "peak": (1.0, -1.5)}


@pytest.fixture
def measured(tmp_path):
    """A corpus whose eval speech differs in level and noise; its values by subset, and where it is genuine."""
    tree, values = Tree(tmp_path, sizes=SIZES), {}
    for number, (subset, labels) in enumerate(tree.labels.items()):
        genuine = np.array([label == "genuine" for label in labels.values()])
        matrix = np.random.default_rng(number).standard_normal((len(labels), len(NAMES)))
        for name, apart in APART.items():
            matrix[:, NAMES.index(name)] += apart[subset == "eval"] * genuine
        rows = [(utt, dict(zip(NAMES, row, strict=True))) for utt, row in zip(labels, matrix, strict=True)]
        nuisance.write(tmp_path / "data" / "made_up" / subset / nuisance.FILE, reversed(rows))
        values[subset] = matrix, genuine
    tree.system("afn", 1.7, title=AFN)  # its features remove level
    tree.system("cqcc", 4.5, title="CQCC", recipe="cqcc_gmm")  # they keep it
    return tree, values


def rate(scores, genuine):
    return 100 * eer.linear_roc_eer(scores[genuine], scores[~genuine])


def test_directions_and_weights_come_from_train_and_systems_are_judged_beside_them(main, measured):
    tree, values = measured
    printed = main(*tree.arguments)
    audit = tree.json["audit"]
    assert list(audit["eer"]) == [*NAMES, "all"] and audit["subset"] == "eval"
    for column, name in enumerate(NAMES):
        sign = -1 if rate(values["train"][0][:, column], values["train"][1]) > 50 else 1
        for subset, (matrix, genuine) in values.items():
            assert audit["eer"][name][subset] == pytest.approx(rate(sign * matrix[:, column], genuine), abs=1.5)
    assert audit["eer"]["peak"]["train"] < 40 and audit["eer"]["peak"]["eval"] > 60
    matrix, genuine = values["train"]
    model = LogisticRegression(class_weight="balanced").fit(
        (matrix - matrix.mean(axis=0)) / matrix.std(axis=0), genuine
    )
    scores = model.decision_function((values["eval"][0] - matrix.mean(axis=0)) / matrix.std(axis=0))
    limit = audit["eer"]["all"]["eval"]
    assert limit == pytest.approx(rate(scores, values["eval"][1]), abs=0.1)
    median = np.median(matrix[genuine, NAMES.index("snr")]), np.median(matrix[~genuine, NAMES.index("snr")])
    assert audit["medians"]["snr"] == pytest.approx(median, rel=1e-5)

    of_systems = {of["title"]: of for of in audit["systems"]}
    rates = {of["title"]: of["eval"]["averaged"]["linear_roc"] for of in tree.json["systems"]}
    assert rates["CQCC"] < limit < rates[AFN]
    assert {title: of["beats"] for title, of in of_systems.items()} == {"CQCC": True, AFN: False}
    assert {title: of["keeps"] for title, of in of_systems.items()} == {"CQCC": ["level", "snr"], AFN: ["snr"]}
    high = next(of["eval"]["interval"]["high"] for of in tree.json["systems"] if of["title"] == "CQCC")
    assert of_systems["CQCC"]["certain"] == (high < limit)
    sentences = [
        f"{AFN} does not beat the audit, {rates[AFN]:.2f} % against {limit:.2f} % on eval.",
        f"CQCC beats the audit, {rates['CQCC']:.2f} % against {limit:.2f} % on eval",
        "Warning: the features of CQCC keep",
        f"level ({audit['eer']['level']['eval']:.2f} %), signal-to-noise ratio",
    ]
    for page in (printed, tree.page, unescape(tree.report), " ".join(audit["sentences"])):
        assert all(sentence in page for sentence in sentences)
    for page in (tree.page, printed):
        assert f"{limit:.2f}" in next(line for line in page.splitlines() if "all together" in line)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: (data / "dev" / nuisance.FILE).unlink(), "dev has no nuisance.csv. Run stage -2."),
        (lambda data: (data / "eval" / nuisance.FILE).write_bytes((data / "dev" / nuisance.FILE).read_bytes()),
         "nuisance.csv of eval lists other utterances. Run stage -2 with --force."),
        (lambda data: (data / "train" / "utt2label").unlink(), "the corpus has no train set with both classes"),
    ],
)  # fmt: skip
def test_what_an_audit_lacks_is_one_line_and_the_results_are_the_same(main, measured, change, reason):
    tree, _ = measured
    change(tree.root / "data" / "made_up")
    printed = main(*tree.arguments)
    assert reason in printed and reason in tree.page and reason in tree.report
    assert tree.json["audit"]["reason"].startswith(reason) and len(tree.json["systems"]) == 2
