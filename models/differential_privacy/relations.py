"""Relations between the columns of a table, bought as noisy marginals and drawn as rows."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from models.differential_privacy.code_groups import Grouping
from models.differential_privacy.graphical_model import GraphicalModel
from models.differential_privacy.ledger import Ledger
from models.differential_privacy.paid_codec import PaidCodec
from models.differential_privacy.selection import Learner
from models.encoding.column import UNKNOWN, IntArray


@dataclass(frozen=True)
class Relations:
    """What noisy counts of single columns, pairs and triples tell together."""

    grouping: Grouping
    model: GraphicalModel

    @classmethod
    def buy(
        cls, bought: PaidCodec, codes: IntArray, target: str | None, ledger: Ledger, share: float
    ) -> Self:
        """Spends `share` of what is left on relations of the `codes` `(rows, parts)`.

        Those with the column `target` come first. What is left then is for others.
        """
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
        names = [name for name, places in bought.codec.columns_.items() for _ in places]
        model, _ = learner.learn(names, lambda _: None)
        return cls(grouping, model)

    def draw(self, rows: int) -> IntArray:
        """Codes `(rows, parts)` of made-up rows that have these relations."""
        random = np.random.default_rng(0)
        drawn = self.model.sample(rows, random)
        return self.grouping.codes(drawn, np.full_like(drawn, UNKNOWN), random)
