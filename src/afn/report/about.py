"""Paragraphs of RESULTS.md and report.html that say what the figures mean."""

# Term and explanation; without figures of the paper, which do not belong beside those of another corpus
AVERAGING = (
    (
        "Mean ± sd",
        "is what one training run reaches: the mean and the standard deviation (with n - 1) of the EERs of the single "
        "seeds.",
    ),
    (
        "Averaged scores",
        "are those of an ensemble: the score of an utterance is the mean over the models of all seeds (of their "
        "sigmoid outputs for networks, of their scores for other systems), and the EER is that of these means. An "
        "ensemble is usually better than its members, so this figure tends to be lower.",
    ),
    (
        "The paper",
        "reports the second kind: the network rows of Lai et al. (ICASSP 2019), Table 2, are EERs of the averaged "
        "scores of 6 to 9 models. Compare them with our averaged scores, not with the mean, and consider the number "
        "of seeds.",
    ),
)
HEADLINE = (
    "The paper's 8.99 % on eval is such a figure: the authors' scoring script averages the sigmoid outputs of 8 "
    "networks that differ only in their random numbers, and computes one EER of the averages. The paper does not claim "
    "it for a single network."
)
OTHER_CORPORA = (
    "EERs in percent of the systems of this corpus on recordings of others, which had no part in training or in any "
    "choice. A deployed system cannot choose its threshold on what it has not seen: the errors (in percent) are those "
    "at the threshold of the EER on this corpus' dev set, and Cllr is that of the calibration on this dev set."
)
AUDIT = (
    "EERs in percent of properties that say nothing about replay, measured without any model of it. Direction and "
    "weights are learnt on train. A system that is not better than all of them together may have learnt them instead "
    "of replay; one that is better may use them as well."
)
EQUALISED = (
    "The same recordings of eval without the silence at their ends and at one level, scored again. A system that has "
    "many more errors on them needs silence or level."
)
