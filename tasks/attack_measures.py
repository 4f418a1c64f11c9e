"""The words for the figures of shared codes: what they keep, and what attackers gain from them."""

from tasks.report_measure import Measure

LESS_TOLD = (
    "Raise `share.noise` or `share.adversary_weight`, declare fewer tasks, or name as `public` "
    "what the recipient truly knows of each row anyway. Don't repeat until it passes."
)
_MORE_KEPT = (
    "Lower `share.noise` or `share.adversary_weight`, train for more `epochs`, or declare fewer "
    "tasks: what codes keep and what they tell hang together."
)
_BLIND = "Bring more rows: with so few the attackers of this run prove nothing."


def _inversion(pairs: str) -> Measure:
    return Measure(
        f"Inversion, {pairs} known pairs",
        "How much better a column is guessed from codes than from what is known anyway: the worst "
        "column, in accuracy or R2.",
        "lower", 0, 1,
        failing="A column that was not meant to be shared can be read from the codes.",
        remedy=LESS_TOLD,
    )  # fmt: skip


ATTACK_MEASURES: dict[str, Measure] = {
    "task_kept": Measure(
        "Task kept",
        "How much of a declared task's score above guessing is left when codes stand in for rows.",
        "higher", 0, 1,
        failing="The codes keep too little of what a declared task needs.", remedy=_MORE_KEPT,
    ),
    **{f"inversion_gain_{pairs}": _inversion(f"{pairs:,}") for pairs in (0, 20, 200, 2000)},
    "attribute_gain": Measure(
        "Attribute gain",
        "How much better a sensitive column is told from codes than from what is known anyway, "
        "in AUC: the best of three attackers.",
        "lower", 0, 0.5,
        failing="The codes tell of a sensitive column.", remedy=LESS_TOLD,
    ),
    "membership_gain": Measure(
        "Membership gain",
        "How far above 0.5 the AUC is of telling rows that the encoder learned from.",
        "lower", 0, 0.5,
        failing="The codes tell whose rows the encoder learned from.",
        remedy="Train for fewer `epochs`, or on more rows.",
    ),
    "relinkage": Measure(
        "Re-linkage",
        "How often two recipients find the same row in both their releases, times chance.",
        "lower", 0,
        failing="Two recipients could put their releases together row by row.", remedy=LESS_TOLD,
    ),
    "control_leaks_caught": Measure(
        "Planted leaks caught", "Codes that hide nothing, of which the attacks must refuse both.",
        "higher", 0, 2,
        failing="The attackers did not see codes that hide nothing.", remedy=_BLIND,
    ),
    "control_shuffled_passes": Measure(
        "Shuffled codes pass", "Codes dealt to the wrong rows, which the attacks must pass.",
        "higher", 0, 1,
        failing="The attackers see leaks where there can be none.", remedy=_BLIND,
    ),
}  # fmt: skip
