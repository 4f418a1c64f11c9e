"""The words for the figures of shared codes: what they keep, and what attackers gain from them."""

from tasks.report_measure import Measure

LESS_TOLD = (
    "Raise share.noise or share.adversary_weight, declare fewer tasks, or name as share.public "
    "what the recipient truly knows of each row anyway. Don't repeat until it passes."
)
_MORE_KEPT = (
    "Lower share.noise or share.adversary_weight, raise share.epochs, or declare fewer "
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
        remedy="Lower share.epochs, or bring more rows.",
    ),
    "relinkage": Measure(
        "Re-linkage",
        "How often two recipients find the same row in both their releases, times chance.",
        "lower", 0,
        failing="Two recipients could put their releases together row by row.", remedy=LESS_TOLD,
    ),
    "attack_runs": Measure(
        "Attacks on these rows",
        "Which run of the attacks on codes of these rows this is. Each further time the bars are "
        "harder to keep.",
        failing="Codes made by the same terms were refused before.", remedy=LESS_TOLD,
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

CODE_GLOSSARY = (
    (
        "Prior",
        "What an attacker says from what it is taken to know anyway, without any code: the columns "
        "that the contract calls public, and the outcomes of the declared tasks. Only what a code "
        "adds to that counts as a gain.",
    ),
    (
        "Known pairs",
        "Rows of which an attacker has both the row and its code, say its own customers found "
        "again. The contract declares how many a recipient may have; figures for more say what "
        "such a holder could do, and judge nothing.",
    ),
    (
        "Interval",
        "The range in which the figure may lie, at 95 % on either side, and at more where codes of "
        "these rows were attacked before, given how few or many rows were attacked and how the "
        "known pairs fell out.",
    ),
    (
        "Refused, undecided",
        "Refused is what is surely beyond its bar. Undecided is what is beyond it by no more than "
        "chance may explain, and what so few rows can't tell. Doubt does not publish.",
    ),
    (
        "Task kept",
        "A model learns a declared task from codes, one of the same kind from rows; both are asked "
        "about rows that no fit has seen. The share of the score above guessing (an AUC of 0.5, or "
        "the mean) that is left.",
    ),
    (
        "Re-linkage",
        "Two recipients lay their releases side by side and look for the same rows, in groups of "
        "500. Chance finds one row in each group; the figure counts in times of that.",
    ),
    (
        "Controls",
        "The same attackers, on the rows themselves and on rows turned by a secret rotation, have "
        "to refuse both; on codes dealt to the wrong rows they have to find nothing.",
    ),
)
