"""What a report says around its figures: verdicts, states, attacks not run, and a glossary."""

UNDECIDED_REMEDY = (
    "There were too few rows to decide. Hold out more rows, or gather more data; a larger holdout "
    "narrows the interval."
)
NEAR_BAR_REMEDY = "More rows, above all in the holdout, narrow the interval. "

# Shown first, in this order; any other figure that decided the verdict follows.
MAIN_FIGURES = (
    "shape_error",
    "trend_error",
    "detection_auc",
    "tstr",
    "utility_gap",
    "exact_copies",
    "smallest_exact_leak",
    "tail_copies",
    "smallest_near_leak",
    "sequence_copies",
    "membership_inference",
    "outlier_membership",
    "attribute_inference",
    "linkability",
    "singling_out",
    "inference",
    "hygiene",
    "planted_leaks",
    "fresh_rows",
    "dcr_share",
    "dp_epsilon",
    "dp_accountants",
    "dp_audit",
    "dp_together",
)

STATE_WORDS = {
    "pass": "Pass",
    "refuse": "Refused",
    "inconclusive": "Undecided",
    "info": "Not judged",
    "fail": "Broken",
    "crashed": "Crashed",
}

VERDICTS = {
    "published": (
        "pass",
        "Published",
        "Every figure that a bar judges is within its bar.",
    ),
    "refused": (
        "refuse",
        "Refused",
        "No data left the store: the release broke a bar, so only this report is kept.",
    ),
    "inconclusive": (
        "inconclusive",
        "Inconclusive",
        "No data left the store: there was too little evidence to decide, and doubt does not "
        "publish.",
    ),
}

# Attacks of the full gate: the words by which a finding's name tells that one was run.
FULL_GATE = {
    "hygiene: direct identifiers and rare values (G0)": ("hygiene", "g0"),
    "membership inference (G3)": ("membership", "g3"),
    "the most isolated records (G4)": ("outlier", "g4"),
    "attribute inference (G5)": ("attribute", "g5"),
    "linkability, singling out and inference (G6)": ("linkability", "singling", "g6"),
    "an audit of differential privacy (G7)": ("differential", "dp_", "canary", "g7"),
}

GLOSSARY = (
    (
        "Training, holdout, synthetic",
        "Real rows were split before anything was fitted. Training rows taught the generator; "
        "holdout rows were kept away from it; synthetic rows are what it made.",
    ),
    (
        "Interval",
        "The range in which the figure may lie, given how few or many rows measured it. "
        "A wide interval means: measure on more rows before you lean on the figure.",
    ),
    (
        "Ceiling, baseline, control",
        "What the figure is to be compared with. A ceiling is the same figure for held-out real "
        "rows, which is what a perfect sampler of as many rows would get. Fewer rows are further "
        "off by chance alone: where fewer were held out than made, the bar is set for as many as "
        "were made, and no honest generator is much closer than the detail says.",
    ),
    (
        "Bar",
        "The limit that the contract sets. A figure beyond it refuses the release.",
    ),
    (
        "Undecided",
        "The figure is beyond its bar, but its interval reaches back to it; or there were too few "
        "rows. Doubt does not publish.",
    ),
    (
        "Shape error",
        "For numbers and dates the largest gap between the two cumulative curves "
        "(Kolmogorov-Smirnov); for categories half the sum of the differences in share "
        "(total variation). Missing counts as a category.",
    ),
    (
        "Trend error",
        "For two numbers half the difference of their correlations; otherwise the total variation "
        "between the two cross tables, numbers cut into ten bins.",
    ),
    (
        "Detection AUC",
        "Boosted trees are asked to tell synthetic from real rows. 0.5 means they guess. Small "
        "flaws push it up fast: it is the strictest of the fidelity figures. Clearly below 0.5 is "
        "no better: rows that mirror the training rows do that, fresh ones don't.",
    ),
    (
        "Utility",
        "One model is trained on real rows and one on synthetic rows; both are tested on the same "
        "held-out real rows. The gap is what the synthetic rows cost you.",
    ),
    (
        "Copies",
        "A generator that memorises repeats real rows. The tests compare training rows, which it "
        "saw, with holdout rows, which it could not have seen. How small a leak they would have "
        "noticed was measured by planting copies in this very run.",
    ),
    (
        "Attacks",
        "Each privacy figure is an attack that was really run: its success on people who were "
        "trained on, beside its success on people who were not. What the release tells about "
        "anybody is no leak. The figures are rounded to bands, since exact ones would help to "
        "rebuild unusual records; the exact ones stay with the model.",
    ),
)
