"""Systems that were trained on dev, and calibration where dev is easy."""

import numpy as np

from afn.corpora.datadir import Utterance
from afn.metrics import analysis, calibration, fusion
from afn.metrics.analysis import ScoredSystem
from afn.metrics.fusion import FusionSettings
from afn.metrics.trials import Trials


def trials(subset, count=40):
    listed = [Utterance(f"{subset}{i}", "", f"s{i % 5}", ("genuine", "spoof")[i % 2]) for i in range(count)]
    return Trials.of(sorted(listed, key=lambda u: u.utt))


TRIALS = {subset: trials(subset) for subset in ("dev", "eval")}


def system(name, distance, trained_on="train"):
    rng = np.random.default_rng(len(name))
    scores = {subset: rng.normal(distance * of.genuine, 1) for subset, of in TRIALS.items()}
    return ScoredSystem(name, name.upper(), scores, {}, trained_on)


def test_a_system_trained_on_dev_is_in_no_fusion_and_no_calibration_and_is_not_chosen():
    fusions = {
        "pair": ("pair", FusionSettings(title="pair", members=["a", "pooled"])),
        "every": ("every", FusionSettings(title="every", members="all")),
    }
    systems = [system("a", 1.0), system("bb", 2.0)]
    found = analysis.analyse(TRIALS, [*systems, system("pooled", 9.0, "train+dev")], fusions, resamples=20)
    assert (set(found.calibrated), found.best) == ({"A", "BB"}, "BB")
    pair, every = found.fusions
    assert pair.ratios is None and pair.reason == "trained on dev, as a fusion is: pooled"
    assert list(every.members) == ["a", "bb"]
    assert found.interval("eval", "POOLED") is not None  # its eval figures are as good as any
    found = analysis.analyse(TRIALS, [*systems, system("pooled", 9.0)], fusions, resamples=20)
    assert (set(found.calibrated), found.best) == ({"A", "BB", "POOLED"}, "POOLED")
    assert found.fusions[0].ratios is not None


def test_calibration_does_not_overstate_what_an_easy_dev_shows():
    """As in the default run, where the regression without Platt's targets costs more than 1 bit on eval."""
    rng, scores, genuine = np.random.default_rng(0), {}, TRIALS["eval"].genuine
    for (subset, of), spread in zip(TRIALS.items(), (0.9, 1.5), strict=True):
        scores[subset] = 1 / (1 + np.exp(-rng.normal(np.where(of.genuine, 1.5, -1.5), spread)))  # averaged sigmoids
    plain = fusion.train(scores["dev"][:, None], TRIALS["dev"].genuine, ["net"], logits=True)
    llrs = plain.llrs(scores["eval"][:, None])
    assert calibration.cllr(llrs[genuine], llrs[~genuine]) > 1
    found = analysis.calibrate(TRIALS, ScoredSystem("net", "NET", scores, probabilities=True))
    assert found.model.plain()["logits"] is True and found.costs["eval"].cllr < 0.7


def test_nothing_is_chosen_on_eval(crossed, noisy):
    trials = {"dev": crossed(5, 4), "eval": crossed(5, 4)}
    good, bad = (noisy(trials["dev"], 3, distance) for distance in (3.0, 0.5))
    systems = [ScoredSystem("a", "A", {"dev": bad, "eval": good}), ScoredSystem("b", "B", {"dev": good, "eval": bad})]
    assert analysis.analyse(trials, systems, {}, resamples=20).best == "B"


def test_without_eval_systems_are_judged_on_dev_and_fusions_are_not(crossed, noisy):
    trials = {"dev": crossed(5, 4)}
    systems = [ScoredSystem(name, name.upper(), {"dev": noisy(trials["dev"], i)}) for i, name in enumerate("ab")]
    fusions = {"all": ("all", FusionSettings(title="all", members="all")),
               "odds": ("odds", FusionSettings(title="odds", members=["a", "b"], logits=True))}  # fmt: skip
    found = analysis.analyse(trials, systems, fusions, resamples=20)
    assert found.judged == "dev" and found.fusions[0].ratios is not None
    assert len(found.differences) == 1 and list(found.groups[0].eers) == ["A", "B"]
    assert found.fusions[1].ratios is None and "a: not a probability" in found.fusions[1].reason
