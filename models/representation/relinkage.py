"""Re-linkage: finding the same row again in two recipients' releases."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from data_contracts.report import Finding, State
from models.encoding.column import FloatArray, IntArray
from models.evaluation.intervals import clopper_pearson
from models.representation.exposure import FEWEST_ROWS, Exposure, too_few
from models.representation.gains import EVEN, UNSURE

_BATCH = 500
_MOST_BATCHES = 24
_SAME, _NEVER = 1e-9, 1e9


class RelinkageAttack:
    """Can two recipients who put their releases together find the same rows in both?

    Scenario: both have codes of the same 500 rows (one of each unit), shuffled, each under a key of
    its own, and true outcomes where parcels hold them. For each row of the first, the attacker
    names one of the second; chance is one hit in 500. With the open part and with the whole code it
    tries the nearest code, the likeliest one (nearest, weighed by how crowded the place is, with
    the noise known), and the one-to-one assignment of least distance (Kuhn 1955). The best one
    counts, over up to 24 groups of rows. What is found among 500, times chance, is what is found
    among more, as long as codes tell far fewer than 500 apart. Power: with 12,000 rows five times
    chance is known to a fifth.
    """

    def evaluate(self, exposure: Exposure) -> tuple[Finding, ...]:
        """Hits over chance, judged by the contract's bar."""
        bar = exposure.share.bars.relinkage
        if len(np.unique(exposure.released.units)) < FEWEST_ROWS:
            return (too_few("relinkage", exposure, bar),)
        hits, tries, batch, name = self.attack(exposure)
        runs = exposure.runs
        ends = clopper_pearson(hits, tries, confidence=1 - 2 * UNSURE / runs)
        value, low, high = (share * batch for share in (hits / tries, *ends))
        most = value if runs == 1 else batch * _likely(hits, tries, EVEN / runs)
        state: State = "refuse" if low > bar else "inconclusive" if most > bar else "pass"
        return (
            Finding(
                name="relinkage", group="attacks", value=value, low=low, high=high, bar=bar,
                reference=1.0, reference_name="chance", table=exposure.table, state=state,
                detail=f"{hits:,} of {tries:,} rows found again among {batch:,} ({name}).",
            ),
        )  # fmt: skip

    def attack(self, exposure: Exposure) -> tuple[int, int, int, str]:
        """Hits, tries, rows among which each was sought, and the best attacker's name."""
        side = exposure.released
        order = exposure.random(400).permutation(side.rows)
        order = order[np.unique(side.units[order], return_index=True)[1]]
        order = exposure.random(401).permutation(order)
        batch = min(_BATCH, len(order))
        batches = min(len(order) // batch, _MOST_BATCHES)
        found: dict[str, int] = {}
        for number in range(batches):
            rows = order[number * batch : (number + 1) * batch]
            for part, taken in exposure.parts.items():
                distances = _squares(side.codes[rows][:, taken], side.again[rows][:, taken])
                if side.told.shape[1]:
                    # Outcomes that both parcels hold must be the same ones.
                    distances[_squares(side.told[rows], side.told[rows]) > _SAME] = _NEVER
                shuffle = exposure.random(402 + number).permutation(batch)
                for name, hits in _tried(distances, exposure.noise, shuffle).items():
                    place = f"{name}, {part}"
                    found[place] = found.get(place, 0) + hits
        best = max(found, key=lambda name: found[name])
        return found[best], batches * batch, batch, best


def _likely(hits: int, tries: int, level: float) -> float:
    """The share of hits that is exceeded with this probability; a retry is judged by it."""
    return clopper_pearson(hits, tries, confidence=1 - 2 * level).high


def _tried(distances: FloatArray, noise: float, shuffle: IntArray) -> dict[str, int]:
    """Hits of each attacker on one group, from squared distances `(rows, rows)`.

    The assignment sees the other release in an order of its own: equal codes would else be hits.
    """
    likelihood = np.exp(-distances / (4 * noise**2))
    crowd = likelihood.mean(0, keepdims=True) + 1e-12
    assigned = shuffle[linear_sum_assignment(distances[:, shuffle])[1]]
    return {
        "nearest code": _hits(distances),
        "likeliest code": _hits(-likelihood / crowd),
        "assignment": int((assigned == np.arange(len(distances))).sum()),
    }


def _squares(one: FloatArray, other: FloatArray) -> FloatArray:
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    found: FloatArray = np.maximum(squares, 0.0)
    return found


def _hits(costs: FloatArray) -> int:
    """Rows whose cheapest partner is themselves; several equally cheap ones count as one miss."""
    best = costs.min(1, keepdims=True)
    alone = (costs == best).sum(1) == 1
    return int((alone & (np.diag(costs) == best[:, 0])).sum())
