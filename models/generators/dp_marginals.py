"""Tables under differential privacy: noisy marginals, a graphical model of them, rows drawn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from data_contracts.contract import Contract, Privacy, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.record import Record
from models.base import Given, ProgressCallback
from models.differential_privacy.code_groups import CodeGroups, Grouping
from models.differential_privacy.graphical_model import GraphicalModel
from models.differential_privacy.ledger import Ledger, Statement
from models.differential_privacy.noisy_tree import Total
from models.differential_privacy.paid_axis import Bins
from models.differential_privacy.paid_codec import PaidCodec, buy_codec, list_delta
from models.differential_privacy.secure_noise import noisy_counts, unrepeatable_generator
from models.differential_privacy.selection import Learner, count_rows
from models.encoding.column import UNKNOWN, FloatArray, IntArray
from models.generators.batches import Request, check_fitted, only_table, sample_frame, unit_ids
from models.generators.stored import StoredModel, read_model, write_model

FEWEST_BINS, MOST_BINS = 8, 32
ROWS_SHARE = 0.002
"""Of the budget, for the number of rows."""


class DpMarginalsOptions(Record):
    """How long `dp_marginals` works; what may be spent stands in the contract's `privacy`."""

    rounds: int | None = Field(
        default=None,
        ge=1,
        description="Most marginals chosen; without, four a column, at most 120.",
    )
    steps: int = Field(default=600, ge=1, description="Of the last fit to what was measured.")


class DpMarginalsGenerator:
    """Rows of a graphical model of noisy marginals, chosen by what the model still gets wrong.

    The contract's `privacy` says what may be spent. First the rows of each unit are bounded, then
    domains are taken from the contract or paid for (`buy_codec`), then single columns and pairs
    with the target are counted, then the pairs and triples in which the model errs most
    (`Learner`). All that is kept has noise on it; `statement_` says what was spent on what. The
    noise can't be drawn again: `fit` takes a seed as all generators do, and does not use it.

    `measured_` are the noisy counts themselves, for who audits a fit; they are not saved.

    Given values hold exactly; rows that are given different values are drawn set by set.
    """

    name: ClassVar[str] = "dp_marginals"

    def __init__(self, options: DpMarginalsOptions | None = None) -> None:
        self.options = options or DpMarginalsOptions()

    def fit(self, data: Dataset, *, seed: int, progress: ProgressCallback | None = None) -> Self:  # noqa: ARG002
        """Learns the one table of `data` within its contract's budget.

        ModelError without `privacy` in the contract, or where delta is not below 1 / units.
        """
        table, frame = only_table(data, self.name)
        privacy = required_privacy(data.contract, self.name)
        told = _teller(progress)
        frame = bounded(frame, table, privacy)
        ledger = Ledger(
            privacy.epsilon,
            privacy.delta,
            sensitivity=privacy.rows_per_unit or 1,
            list_delta=list_delta(table, privacy),
        )
        rows = buy_rows(len(frame), ledger)
        check_delta(privacy, rows)
        modelled = sum(not table.issues(column) for column in table.columns)
        bins = bins_for(rows, ledger, modelled)
        bought = buy_codec(frame, table, privacy, bins, ledger)
        grouping = Grouping.of(bought.codec.parts_, bought.counted)
        learner = Learner(
            grouping.rows(bought.codec.encode(frame)),
            grouping.sizes,
            _target_part(table, bought),
            ledger,
            (self.options.rounds, self.options.steps),
            [grouping.groups[v].measured(v, one) for v, one in sorted(bought.counted.items())],
        )
        self.model_, total = learner.learn(bought.codec.part_names, told)
        self.measured_ = tuple(learner.measured)
        self.grouping_, self.rows_ = grouping, max(1, round(total))
        self.contract_, self.table_, self.codec_ = data.contract, table, bought.codec
        self.statement_ = ledger.state(table.unit or "row")
        told(1.0)
        return self

    def sample(
        self, n: int, *, given: Given | None = None, seed: int, first_row: int = 0
    ) -> Dataset:
        """Exactly `n` rows; ModelError before `fit`, or for what cannot be given."""
        check_fitted(self, "model_", "sample")
        request = Request(n, given, seed, first_row)
        frame = sample_frame(self.codec_, self.table_, request, self._complete)
        return Dataset(self.contract_, {self.table_.name: frame})

    def save(self, folder: Path) -> None:
        """Writes the fitted model into `folder`; ModelError before `fit`."""
        check_fitted(self, "model_", "save")
        arrays: dict[str, npt.NDArray[Any]] = {
            f"table/{','.join(map(str, group))}": table
            for group, table in self.model_.tables.items()
        }
        for place, groups in enumerate(self.grouping_.groups):
            arrays[f"groups/{place}/of"] = groups.group_of
            arrays[f"groups/{place}/shares"] = groups.shares
        statement = self.statement_.model_dump(mode="json")
        write_model(folder, StoredModel.of(self, arrays, rows=self.rows_, statement=statement))

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> Self:
        """The model that `save` wrote; ModelError when the folder or the contract is another."""
        stored = read_model(folder)
        generator = cls()
        generator.contract_ = contract
        generator.table_, generator.codec_ = stored.table_and_codec(contract)
        parts, arrays = generator.codec_.parts_, stored.arrays
        groups = tuple(
            CodeGroups(arrays[f"groups/{place}/of"], arrays[f"groups/{place}/shares"])
            for place in range(len(parts))
        )
        generator.grouping_ = Grouping(parts, groups)
        tables = {
            tuple(int(v) for v in name.removeprefix("table/").split(",")): array
            for name, array in arrays.items()
            if name.startswith("table/")
        }
        generator.model_ = GraphicalModel(generator.grouping_.sizes, tables)
        generator.rows_ = int(stored.settings["rows"])
        generator.statement_ = Statement.model_validate(stored.settings["statement"])
        return generator

    def evidence(self, rows: pd.DataFrame, others: pd.DataFrame) -> FloatArray:
        """How much the noisy counts speak for each of `rows` having been there, `(rows,)`.

        For who audits a fit and knows all `others`: the log-likelihood ratio of a row more or less
        in each of its cells. ModelError for a loaded model, which has no counts any more.
        """
        check_fitted(self, "measured_", "evidence")
        grouped, around = (self.grouping_.rows(self.codec_.encode(f)) for f in (rows, others))
        found = np.zeros(len(rows))
        for one in self.measured_:
            known = (grouped[:, list(one.group)] >= 0).all(1)
            cells = tuple(grouped[known, v] for v in one.group)
            expected = count_rows(around, one.group, self.grouping_.sizes)
            found[known] += (one.counts - expected)[cells] / one.variance
        return found

    def _complete(self, codes: IntArray, random: np.random.Generator) -> IntArray:
        """The codes `(rows, parts)` with every unknown one that applies drawn given the others."""
        if not codes.shape[1] or not len(codes):
            return codes
        held = np.where(codes == UNKNOWN, UNKNOWN, self.grouping_.rows(codes))
        kinds, index = np.unique(held, axis=0, return_inverse=True)
        grouped = np.empty_like(held)
        for number, known in enumerate(kinds):
            rows = np.flatnonzero(index.ravel() == number)
            evidence = known if bool((known >= 0).any()) else None
            grouped[rows] = self.model_.sample(len(rows), random, evidence)
        return self.grouping_.codes(grouped, codes, random)


def required_privacy(contract: Contract, name: str) -> Privacy:
    """The contract's `privacy`; ModelError, with what to write, where it has none."""
    if contract.privacy is None:
        raise ModelError(
            f"generator {name!r}: contract {contract.id!r} does not say what may be spent. Write "
            "privacy: {epsilon: 1.0, delta: 1.0e-6} beside the generator, delta below 1 / units."
        )
    return contract.privacy


def bounded(frame: pd.DataFrame, table: Table, privacy: Privacy) -> pd.DataFrame:
    """At most `rows_per_unit` rows of each unit, chosen by a lot that nobody can draw again.

    A row without a unit is one by itself, as in the split into training and holdout.
    """
    units = whose(table, frame)
    if units is None:
        return frame
    order = unrepeatable_generator().permutation(len(frame))
    place = pd.Series(units[order]).groupby(units[order]).cumcount().to_numpy()
    kept = np.sort(order[place < (privacy.rows_per_unit or 1)])
    return frame.iloc[kept].reset_index(drop=True)


def whose(table: Table, frame: pd.DataFrame) -> IntArray | None:
    """Which unit each row belongs to; one without a unit is its own. None where each row is."""
    units = unit_ids(table, frame)
    if units is not None:
        nobodys = np.flatnonzero(frame[table.unit].isna().to_numpy(dtype=bool))
        units[nobodys] = units.max(initial=0) + 1 + np.arange(len(nobodys))
    return units


def buy_rows(rows: int, ledger: Ledger) -> float:
    """The number of rows with noise on it, 1 at least."""
    variance = ledger.buy_counts("number of rows", ROWS_SHARE * ledger.total)
    return max(1.0, float(noisy_counts(np.array([rows]), variance)[0]))


def bins_for(rows: float, ledger: Ledger, columns: int = 1) -> Bins:
    """How many codes a number gets, so that what bins blur and what noise blurs are alike.

    In counts of pairs, blur falls with the number of bins and noise grows with its square: they
    meet near the cube root of the number of `rows` (of `buy_rows`) times mu. About as many pairs
    share the squared mu as there are `columns`.
    """
    mu = (ledger.total / max(1, columns)) ** 0.5 / ledger.sensitivity
    wished = (rows * mu) ** (1 / 3)
    variance = float(ledger.variance_for(ROWS_SHARE * ledger.total))
    return Bins(int(np.clip(round(wished), FEWEST_BINS, MOST_BINS)), Total(rows, variance))


def check_delta(privacy: Privacy, rows: float) -> None:
    """Units may have one row each, whatever `rows_per_unit` allows: as many as rows, then."""
    if privacy.delta * rows >= 1:
        raise ModelError(
            f"privacy.delta {privacy.delta:g}: not below 1 / units; there may be {rows:,.0f}. "
            f"Write {0.1 / rows:.0e} or less: a larger one may give single units away."
        )


def _target_part(table: Table, bought: PaidCodec) -> int | None:
    """The first code of the target, if there is one that is modelled."""
    if table.target is None or not len(bought.codec.columns_[table.target.name]):
        return None
    return bought.codec.columns_[table.target.name].start


def _teller(progress: ProgressCallback | None) -> Callable[[float], None]:
    furthest = [0.0]

    def told(done: float) -> None:
        furthest[0] = max(furthest[0], min(done, 1.0))
        if progress is not None:
            progress(furthest[0], {})

    return told
