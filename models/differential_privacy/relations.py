"""Relations between the columns of a table, bought as noisy marginals and drawn as rows."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from models.differential_privacy.code_groups import Grouping
from models.differential_privacy.graphical_model import GraphicalModel
from models.differential_privacy.ledger import Ledger
from models.differential_privacy.paid_codec import PaidCodec
from models.differential_privacy.selection import Learner, Told
from models.encoding.column import UNKNOWN, IntArray


@dataclass(frozen=True)
class Relations:
    """What noisy counts of single columns, pairs and triples tell together."""

    grouping: Grouping
    model: GraphicalModel

    @classmethod
    def buy(
        cls,
        bought: PaidCodec,
        codes: IntArray,
        target: str | None,
        purse: tuple[Ledger, float],
        told: Told,
    ) -> Self:
        """Spends a share of what is left in the ledger on relations of the `codes` `(rows, parts)`.

        Those with the column `target` come first. What is left then is for others. `purse` is the
        ledger and the share; `told` hears how much of that is spent, 1 in the end.
        """
        ledger, share = purse
        parts, counted = bought.codec.parts_, bought.counted
        grouping = Grouping.of(parts, counted)
        place = None if target is None else bought.codec.columns_[target]
        learner = Learner(
            grouping.rows(codes),
            grouping.sizes,
            place.start if place else None,
            ledger,
            measured=[grouping.groups[v].measured(v, one) for v, one in sorted(counted.items())],
            kept=(1 - share) * ledger.left,
        )
        model, _ = learner.learn(bought.codec.part_names, told)
        told(1.0)
        return cls(grouping, model)

    def draw(self, rows: int) -> IntArray:
        """Codes `(rows, parts)` of made-up rows that have these relations."""
        random = np.random.default_rng(0)
        drawn = self.model.sample(rows, random)
        return self.grouping.codes(drawn, np.full_like(drawn, UNKNOWN), random)
