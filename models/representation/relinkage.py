"""Re-linkage: finding the same row again in two recipients' releases."""

import numpy as np

from data_contracts.report import Finding
from models.encoding.column import FloatArray
from models.evaluation.intervals import clopper_pearson
from models.representation.exposure import Exposure

_BATCH = 500
_MOST_BATCHES = 24
_SAME = 1e-9


class RelinkageAttack:
    """Can two recipients who put their releases together find the same rows in both?

    Scenario: both have codes of the same 500 rows, shuffled, each under a key of its own, and true
    outcomes where parcels hold them. For each row of the first, the attacker names one of the
    second; chance is one hit in 500. It tries the nearest code, and the likeliest one: nearest,
    weighed by how crowded the place is, with the noise known. The better one counts, over up to
    24 groups of rows: with 12,000 rows, five times chance is known to a fifth. What is found among
    500, times chance, is what is found among more, as long as codes tell far fewer than 500 apart.
    """

    def evaluate(self, exposure: Exposure) -> tuple[Finding, ...]:
        """Hits over chance, judged by the contract's bar."""
        hits, tries, batch, name = self.attack(exposure)
        ends = clopper_pearson(hits, tries, confidence=0.9)
        value, low, high = (share * batch for share in (hits / tries, *ends))
        bar = exposure.share.bars.relinkage
        state = "refuse" if low > bar else "inconclusive" if value > bar else "pass"
        return (
            Finding(
                name="relinkage", group="attacks", value=value, low=low, high=high, bar=bar,
                reference=1.0, reference_name="chance", table=exposure.table,
                state=state,  # type: ignore[arg-type]
                detail=f"{hits:,} of {tries:,} rows found again among {batch:,} ({name}).",
            ),
        )  # fmt: skip

    def attack(self, exposure: Exposure) -> tuple[int, int, int, str]:
        """Hits, tries, rows among which each was sought, and the better attacker's name."""
        side = exposure.released
        batch = min(_BATCH, side.rows)
        order = exposure.random(400).permutation(side.rows)
        found = {"nearest code": 0, "likeliest code": 0}
        batches = min(side.rows // batch, _MOST_BATCHES)
        for number in range(batches):
            rows = order[number * batch : (number + 1) * batch]
            distances = _squares(side.codes[rows], side.again[rows])
            if side.told.shape[1]:
                # Outcomes that both parcels hold must be the same ones.
                distances[_squares(side.told[rows], side.told[rows]) > _SAME] = np.inf
            found["nearest code"] += _hits(distances)
            likelihood = np.exp(-distances / (4 * exposure.noise**2))
            crowd = likelihood.mean(0, keepdims=True) + 1e-12
            found["likeliest code"] += _hits(-likelihood / crowd)
        best = max(found, key=lambda name: found[name])
        return found[best], batches * batch, batch, best


def _squares(one: FloatArray, other: FloatArray) -> FloatArray:
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    found: FloatArray = np.maximum(squares, 0.0)
    return found


def _hits(costs: FloatArray) -> int:
    """Rows whose cheapest partner is themselves; several equally cheap ones count as one miss."""
    best = costs.min(1, keepdims=True)
    alone = (costs == best).sum(1) == 1
    return int((alone & (np.diag(costs) == best[:, 0])).sum())
