"""All evidence of a release of codes: tasks, fresh attackers, and controls of the attackers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import ortho_group

from data_contracts.report import Finding
from data_contracts.share import ShareBars
from models.base import Evaluation, ProgressCallback
from models.representation.disclosure import AttributeAttack, MembershipAttack
from models.representation.exposure import Exposure
from models.representation.inversion import PAIRS, InversionAttack
from models.representation.kept_tasks import KeptTasks
from models.representation.relinkage import RelinkageAttack

CodeEvaluation = Evaluation[Exposure, Finding]


def evaluations(exposure: Exposure) -> tuple[CodeEvaluation, ...]:
    """All that a release of codes is judged by; what the contract declares is among the pairs."""
    pairs = sorted({*PAIRS, exposure.share.known_pairs})
    return (
        KeptTasks(),
        *(InversionAttack(known) for known in pairs),
        AttributeAttack(),
        MembershipAttack(),
        RelinkageAttack(),
    )


def evaluate_codes(
    exposure: Exposure, *, progress: ProgressCallback | None = None
) -> tuple[Finding, ...]:
    """Judges a release of codes by the bars of its contract, with controls in the same run.

    A further run on the same rows pays: levels are divided by `exposure.runs`, and the leaks of the
    controls must be caught all the same.
    """
    found: list[Finding] = []
    todo: Sequence[CodeEvaluation] = (*evaluations(exposure), Controls())
    for done, evaluation in enumerate(todo, start=1):
        found += evaluation.evaluate(exposure)
        if progress is not None:
            progress(done / len(todo), {})
    return tuple(found)


class Controls:
    """Would the attackers have seen codes that hide nothing, and pass codes that tell nothing?

    The rows themselves, and the rows turned by a secret rotation, are attacked in place of the
    codes: both must be refused. Codes dealt to the wrong rows must pass. A run whose attackers fail
    either of them proves nothing, and its release is refused.
    """

    def evaluate(self, exposure: Exposure) -> tuple[Finding, ...]:
        caught = [refused(one) for one in (identity(exposure), rotation(exposure))]
        clean = not refused(shuffled(exposure))
        words = "the rows as they are, and under a secret rotation"
        return (
            Finding(
                name="control_leaks_caught", group="attacks", value=float(sum(caught)), bar=2,
                unit="count", table=exposure.table, state="pass" if all(caught) else "refuse",
                detail=f"Of 2 codes that hide nothing ({words}), {sum(caught)} were refused.",
            ),
            Finding(
                name="control_shuffled_passes", group="attacks", value=float(clean), bar=1,
                unit="count", table=exposure.table, state="pass" if clean else "refuse",
                detail="Codes dealt to the wrong rows "
                + ("pass, as they must." if clean else "are refused: the attackers see ghosts."),
            ),
        )  # fmt: skip


def refused(exposure: Exposure) -> bool:
    """Whether inversion at the declared pairs, or re-linkage, refuses these codes.

    By the usual bars, whatever the contract says: this asks how well the attackers see.
    """
    pairs = max(exposure.share.known_pairs, 20)
    share = exposure.share.model_copy(update={"known_pairs": pairs, "bars": ShareBars()})
    judged = replace(exposure, share=share)
    findings = (*InversionAttack(pairs).evaluate(judged), *RelinkageAttack().evaluate(judged))
    return any(finding.state == "refuse" for finding in findings)


def identity(exposure: Exposure) -> Exposure:
    """The raw rows in place of codes."""
    released, fresh = exposure.released.features, exposure.fresh.features
    return exposure.with_codes(released, released, fresh)


def rotation(exposure: Exposure) -> Exposure:
    """The raw rows turned by one secret rotation in each of the two releases."""
    width = exposure.released.features.shape[1]
    one, other = (
        ortho_group.rvs(width, random_state=exposure.random(purpose)) if width > 1 else np.eye(1)
        for purpose in (901, 902)
    )
    released, fresh = exposure.released.features, exposure.fresh.features
    return exposure.with_codes(released @ one, released @ other, fresh @ one)


def shuffled(exposure: Exposure) -> Exposure:
    """The codes dealt to other rows, differently in each of the two releases."""
    one, other = (exposure.random(purpose) for purpose in (903, 904))
    released = exposure.released
    return exposure.with_codes(
        released.codes[one.permutation(released.rows)],
        released.again[other.permutation(released.rows)],
        exposure.fresh.codes[one.permutation(exposure.fresh.rows)],
    )
