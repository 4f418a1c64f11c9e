"""The words for each figure: its name, what it means, and what one can do when it refuses.

The definitions are those of the design page on measures; the wording is for an analyst who has
never read it.
"""

from dataclasses import replace

from tasks.attack_measures import ATTACK_MEASURES, LESS_TOLD
from tasks.budget_measures import BUDGET_MEASURES
from tasks.report_measure import Measure as Measure

_TRAIN_LONGER = (
    "Look at the worst columns below. Train longer, choose a stronger generator in the contract, "
    "or declare the column's type and categories more exactly."
)
_LEARN_TOGETHER = (
    "Look at the heat map below. Train longer or choose a generator that models columns jointly; "
    "rules between columns can be declared as row rules."
)
_HIDE_THE_ORIGIN = (
    "The list of columns that gave the synthetic rows away says where to start: rounding, "
    "impossible combinations and rare values are the usual causes."
)
_FIND_THE_TARGET = (
    "Check the columns that predict the target in the pictures below, and whether the rare class "
    "has enough training rows to learn from."
)
_STOP_COPYING = (
    "Don't publish by drawing again until it passes: that is itself a leak. Train for fewer "
    "steps or with a smaller model, on more rows, and judge it on a new holdout."
)
_MAKE_KEYS = (
    "Choose a generator that issues keys, or give the key a pattern with room for as many rows as "
    "are made."
)
_HOLD_OUT_MORE = (
    "Hold out more rows, or gather more data. A higher leak_share in the contract accepts a "
    "coarser look."
)
_PROTECT_VALUES = (
    "Mark identifiers as such in the contract, list categories that anybody may know, declare "
    "ranges, and use a generator that protects the values of few."
)
_CHECK_THE_SPLIT = (
    "Check the contract's unit of privacy: rows of one person must not lie on both sides of the "
    "split."
)
_FIX_THE_SOURCE = (
    "Read the rejects beside the ingest: each row names the rule it broke. Correct the source, or "
    "the contract where the rule is wrong."
)

MEASURES: dict[str, Measure] = {
    "shape_error": Measure(
        "Shape error",
        "How far the distribution of a single column is from the training rows, "
        "averaged over columns.",
        "lower", 0,
        failing="Single columns are distributed differently from the real ones.",
        remedy=_TRAIN_LONGER,
    ),
    "trend_error": Measure(
        "Trend error",
        "How far the relation between two columns is from the training rows, averaged over pairs.",
        "lower", 0,
        failing="Relations between columns were not learned well enough.",
        remedy=_LEARN_TOGETHER,
    ),
    "shape_ceiling": Measure(
        "Shape ceiling",
        "The shape error of held-out real rows: what a perfect sampler would get.", "lower", 0,
    ),
    "trend_ceiling": Measure(
        "Trend ceiling",
        "The trend error of held-out real rows: what a perfect sampler would get.", "lower", 0,
    ),
    "mutual_information_error": Measure(
        "Mutual information error",
        "How far each pair's normalised mutual information, a measure of any kind of relation, is "
        "from the training rows.",
        "lower", 0,
    ),
    "three_way_error": Measure(
        "Three-way error",
        "How far the joint distribution of three columns at a time is from the training rows.",
        "lower", 0,
    ),
    "missingness_error": Measure(
        "Missingness error",
        "How far the patterns of which cells are missing together are from the training rows.",
        "lower", 0,
    ),
    "alpha_precision": Measure(
        "Alpha-precision",
        "Whether synthetic rows lie as close to the middle of the real rows, and as far from it, "
        "as real rows do: low where they are unreal or all too typical.",
        "higher", 0, 1,
    ),
    "beta_recall": Measure(
        "Beta-recall",
        "Whether every kind of real row, the unusual ones too, has a synthetic row as near as a "
        "fresh real one. About one half is what fresh real rows get.",
        "higher", 0, 1,
    ),
    "primary_key_uniqueness": Measure(
        "Primary key uniqueness", "Synthetic rows whose key is whole and theirs alone.",
        "higher", 0, 100,
        failing="Keys of synthetic rows repeat or are missing.",
        remedy=_MAKE_KEYS,
    ),
    "foreign_key_coverage": Measure(
        "Foreign key coverage", "Synthetic rows whose foreign key leads to a row that was made.",
        "higher", 0, 100,
        failing="Foreign keys of synthetic rows lead nowhere.",
        remedy=_MAKE_KEYS,
    ),
    "detection_auc": Measure(
        "Detection AUC",
        "How well boosted trees tell synthetic rows from real ones: 0.5 is guessing, 1 is always.",
        "lower", 0.5, 1,
        failing="A classifier tells synthetic rows from real ones too easily.",
        remedy=_HIDE_THE_ORIGIN,
        too_good="The synthetic rows mirror the training rows more closely than fresh rows could.",
    ),
    "detection_score": Measure(
        "Detection score",
        "The detection AUC turned round: 1 when nothing can be told apart, 0 when everything can.",
        "higher", 0, 1,
        failing="A classifier tells synthetic rows from real ones too easily.",
        remedy=_HIDE_THE_ORIGIN,
    ),
    "trtr": Measure(
        "Trained on real",
        "A model trained on real rows and tested on held-out real rows: the baseline.",
        "higher", 0.5, 1,
    ),
    "tstr": Measure(
        "Trained on synthetic",
        "The same model trained on synthetic rows and tested on the same held-out real rows.",
        "higher", 0.5, 1,
        failing="A model trained on the synthetic rows predicts real ones too badly.",
        remedy=_FIND_THE_TARGET,
    ),
    "utility_gap": Measure(
        "Utility gap",
        "What is lost by training on synthetic instead of real rows.",
        "lower", 0,
        failing="Too much predictive power is lost in the synthetic rows.",
        remedy=_FIND_THE_TARGET,
    ),
    "trts": Measure(
        "Real judged on synthetic",
        "A model trained on real rows and tested on synthetic ones.", "higher", 0.5, 1,
    ),
    "exact_copies": Measure(
        "Exact copies (G1)",
        "Synthetic rows equal to a row that is unique among the training rows, compared with the "
        "same count for held-out rows.",
        "lower", 0,
        failing="Synthetic rows repeat training rows more often than chance explains.",
        remedy=_STOP_COPYING,
    ),
    "tail_copies": Measure(
        "Near copies (G2)",
        "Among the synthetic rows closest to real ones: are they closer to training rows than "
        "to held-out rows?",
        "lower", 0, 1,
        failing="The closest synthetic rows lie closer to training rows than to rows never seen.",
        remedy=_STOP_COPYING,
    ),
    "smallest_exact_leak": Measure(
        "Smallest exact leak seen",
        "The share of synthetic rows that would have to repeat training rows before the copy tests "
        "notice. Copies were planted in this run to find out.",
        "lower", 0,
        failing="The copy tests could not see a leak of the share that the contract asks for.",
        remedy=_HOLD_OUT_MORE,
    ),
    "smallest_near_leak": Measure(
        "Smallest near leak seen",
        "The same for copies of training rows with small changes.",
        "lower", 0,
        failing="The copy tests could not see a leak of the share that the contract asks for.",
        remedy=_HOLD_OUT_MORE,
    ),
    "dcr_share": Measure(
        "Closer to training (alarm)",
        "The share of synthetic rows closer to a training row than to a held-out one. 0.5 is the "
        "goal. It may raise an alarm, but passing it proves nothing.",
        "lower", 0, 1,
        failing="Synthetic rows lean towards the training rows as a whole.",
        remedy=_STOP_COPYING,
    ),
    "nndr_share": Measure(
        "Copy-like towards training (alarm)",
        "The same by distance ratios: to which side's nearest row does a synthetic row lie close, "
        "compared with the next one? 0.5 is the goal; passing it proves nothing.",
        "lower", 0, 1,
        failing="Synthetic rows sit on single training rows rather than among them.",
        remedy=_STOP_COPYING,
    ),
    "hygiene": Measure(
        "Values of few (G0)",
        "Columns in which the release shows an identifier or text of a training row, a category of "
        "very few people, or one of the most extreme values.",
        "lower", 0,
        failing="The release shows values that point at few people.",
        remedy=_PROTECT_VALUES,
    ),
    "membership_inference": Measure(
        "Membership (G3)",
        "Of the people who were trained on, the share that an attacker recognises who knows their "
        "records and the release, at one false alarm in a hundred. About the same share of people "
        "who were not trained on is what guessing gets.",
        "lower", 0, 1,
        failing="An attacker can tell who was among the training rows.",
        remedy=_STOP_COPYING,
    ),
    "outlier_membership": Measure(
        "Membership of the most isolated (G4)",
        "The same for the records that are least like any other, which are most at risk.",
        "lower", 0, 1,
        failing="An attacker can tell which unusual people were among the training rows.",
        remedy=_STOP_COPYING,
    ),
    "attribute_inference": Measure(
        "Sensitive value (G5)",
        "How much better an attacker who learned from the release guesses a sensitive value of "
        "people who were trained on than of others. 0 is the goal.",
        "lower", None, None,
        failing="The release tells a sensitive value of training people beyond what it tells of "
        "anybody.",
        remedy=_STOP_COPYING,
    ),
    "linkability": Measure(
        "Linkability (G6)",
        "The chance, beyond that for strangers to the model, that two halves of a person's record "
        "are joined through the release.",
        "lower", None, None,
        failing="The release joins what two attackers know about one person.",
        remedy=_STOP_COPYING,
    ),
    "singling_out": Measure(
        "Singling out (G6)",
        "The chance, beyond that for strangers to the model, that a description taken from the "
        "release fits exactly one person.",
        "lower", None, None,
        failing="The release describes single people who were trained on.",
        remedy=_STOP_COPYING,
    ),
    "inference": Measure(
        "Inference (G6)",
        "The chance, beyond that for strangers to the model, that the nearest synthetic row tells "
        "the one value that an attacker does not know.",
        "lower", None, None,
        failing="The release tells unknown values of people who were trained on.",
        remedy=_STOP_COPYING,
    ),
    "planted_leaks": Measure(
        "Planted leaks caught",
        "Copies were planted in this release in four ways; so many of the four the gate noticed.",
        "higher", 0, 4,
        failing="The gate did not see a leak that was planted for it: its verdict means nothing.",
        remedy=_CHECK_THE_SPLIT,
    ),
    "fresh_rows": Measure(
        "Fresh rows refused",
        "How many tests refuse held-out rows in the place of the release, although nobody copied "
        "them.",
        "lower", 0,
        failing="The gate refuses rows that nobody copied: training and holdout are not apart.",
        remedy=_CHECK_THE_SPLIT,
    ),
    "sequence_copies": Measure(
        "People with copied sequences",
        "Training units of whom several rows in a row were found in the release, a band. Of units "
        "whose rows are like anybody's, only their sequence tells who they are.",
        "lower", 0,
        failing="The release repeats whole stretches of training units' rows.",
        remedy=_STOP_COPYING,
    ),
    "gate_runs": Measure(
        "Judgements of this model",
        "How often the gate has judged a release of this model. Each further one has to pass "
        "stricter tests.",
        failing="A release of this model was refused before.",
        remedy=_STOP_COPYING,
    ),
    "rows_rejected": Measure(
        "Rows rejected", "Rows that broke a rule of the contract.", "lower", 0,
        failing="Too many rows broke the contract.", remedy=_FIX_THE_SOURCE,
    ),
    "rows_proven": Measure(
        "Rows proven", "Rows that keep every rule of the contract.", "higher", 0
    ),
    **ATTACK_MEASURES,
    **BUDGET_MEASURES,
}  # fmt: skip

GROUP_REMEDIES = {
    "fidelity": _TRAIN_LONGER,
    "utility": _FIND_THE_TARGET,
    "copies": _STOP_COPYING,
    "attacks": LESS_TOLD,
    "proof": _FIX_THE_SOURCE,
    "other": "See the detail of this figure.",
}


# Figures that are given once for each of the models that are compared.
_TRAINED_ON = {"trtr": "trained on real", "tstr": "trained on synthetic"}
_OF_A_MODEL = {
    "precision": Measure(
        "Precision", "Of the rows called this class, the share that truly are.", "higher", 0, 1
    ),
    "recall": Measure(
        "Recall", "Of the rows of this class, the share that was found.", "higher", 0, 1
    ),
    "r2": Measure(
        "R2",
        "The share of the target's variance that is explained; 0 is guessing the mean.",
        "higher",
        0,
        1,
    ),
    "within_tolerance": Measure(
        "Within tolerance",
        "Predictions at most as far off as the contract tolerates.",
        "higher",
        0,
        1,
    ),
    "mae": Measure("Mean absolute error", "In the target's own unit.", "lower", 0),
}


def reference_words(name: str | None) -> str:
    """What a figure is compared with, as a reader would say it."""
    if name is None:
        return "reference"
    return "ceiling" if name.endswith("_ceiling") else _TRAINED_ON.get(name, name)


def measure_of(name: str, unit: str = "") -> Measure:
    """The words for a figure; one that is not in the list is called by its own name.

    A score in the target's own unit is a root mean squared error: less of it is better.
    """
    if name in MEASURES and unit == "target":
        known = MEASURES[name]
        return replace(known, label=f"{known.label} (error)", better="lower", low=0, high=None)
    if name in MEASURES:
        return MEASURES[name]
    model, _, figure = name.partition("_")
    if model in _TRAINED_ON and figure in _OF_A_MODEL:
        measure = _OF_A_MODEL[figure]
        return replace(measure, label=f"{measure.label}, {_TRAINED_ON[model]}")
    spoken = name.replace("_", " ").strip()
    return Measure(spoken[:1].upper() + spoken[1:], "")
