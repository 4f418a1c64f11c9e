"""Any-order autoregression over hierarchical codes: the default generator of tables."""

import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from data_contracts.choice import ModelChoice
from data_contracts.contract import Contract
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.record import Record
from models.base import Checkpoints, Given, ProgressCallback
from models.differential_privacy.ledger import Statement
from models.encoding.column import prefixed, unprefixed
from models.encoding.table import TableCodec
from models.generators.batches import (
    Guidance,
    Request,
    check_columns,
    check_fitted,
    check_seed,
    only_table,
    sample_frame,
    unit_ids,
)
from models.generators.code_layout import CodeLayout
from models.generators.code_model import CodeModel
from models.generators.found_rules import NOTHING, FoundRules, find_rules, still_held
from models.generators.imputing import Imputer
from models.generators.packing import blocks, pack_rows
from models.generators.private_codes import PrivateRows, private_sizes
from models.generators.refreshing import (
    check_kind,
    check_promises,
    check_sizes,
    check_values,
    hidden_shares,
)
from models.generators.sizes import Sizes, choose_sizes
from models.generators.stored import StoredModel, read_model, write_model
from models.registry import check_private_options
from models.training.plan import Company

REFRESHED = 0.25
"""Passes over new rows by an earlier model, as a share of those of a model made anew."""
FOUND = "found"
"""What the names of the stored arrays of relations start with."""


class AnyOrderOptions(Record):
    """Options of `any_order`; what is left out is chosen from rows and columns."""

    width: int | None = Field(default=None, ge=8, le=4096, description="Units of each layer.")
    blocks: int | None = Field(default=None, ge=0, le=32, description="Residual blocks.")
    epochs: int | None = Field(default=None, ge=1, le=100_000, description="Passes over the rows.")
    batch_rows: int | None = Field(default=None, ge=1, description="Rows for each step.")
    learning_rate: float | None = Field(default=None, gt=0, le=1, description="The highest one.")
    dropout: float | None = Field(default=None, ge=0, lt=1, description="Share of units dropped.")
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Time for the fit. If it is used up, the fit no longer repeats exactly.",
    )
    refresh: str | None = Field(
        default=None,
        description="Id of an earlier model of the contract that goes on with the new rows.",
    )

    find_relations: bool = Field(
        default=True, description="Keep relations that hold in every training row."
    )

    def sizes(self, chosen: Sizes) -> Sizes:
        """The sizes chosen by rule, with those replaced that the options name."""
        named = {name: getattr(self, name) for name in Sizes._fields}
        kept = {name: value for name, value in named.items() if value is not None}
        return chosen._replace(**kept)


class AnyOrderGenerator:
    """Learns the distribution of every code of a row given any others, and samples code by code.

    Each column becomes one or more codes (see `TableCodec`). One network predicts each of them
    from those observed so far in a random order, so that any subset of columns can be given and
    the rest is drawn exactly from the learned conditional distribution. The same seed gives the
    same bytes on the same machine with the same number of threads.

    Sources: order-agnostic autoregression (Uria et al. 2014; Hoogeboom et al. 2022), discretised
    columns (TabularARGN, Tiwald et al. 2025), coarse before fine (TabCascade, arXiv:2601.22816).
    """

    name: ClassVar[str] = "any_order"

    def __init__(self, options: AnyOrderOptions | None = None) -> None:
        self.options = options or AnyOrderOptions()

    def fit(
        self,
        data: Dataset,
        *,
        seed: int,
        progress: ProgressCallback | None = None,
        checkpoints: Checkpoints | None = None,
        earlier: Self | None = None,
    ) -> Self:
        """Learns the one table of `data`; ModelError when there is none that it can learn.

        A fit that was killed goes on from the last of its `checkpoints`. With an `earlier` model,
        its codec and weights are taken over and trained on for fewer passes, and the relations that
        it found stay where the new rows keep them; ModelError where it is of another kind or size,
        the table promises other things, or it never draws many values.

        Under the contract's `privacy`, all that is learned is paid for: see `PrivateRows`. Then no
        relations are searched for, no checkpoints are written, nothing is told of losses, and the
        same seed does not give the same model: nobody can draw its noise again. `statement_` says
        what was spent on what, `rows_` the noisy number of rows.
        """
        check_seed(seed)
        if data.contract.privacy is not None:
            return self._fit_privately(data, seed, progress)
        started = time.monotonic()
        if self.options.refresh is not None and earlier is None:
            raise ModelError(f"{self.name}: to refresh {self.options.refresh!r}, give that model.")
        table, frame = only_table(data, self.name)
        self.contract_, self.table_ = data.contract, table
        model = self._start(data, seed) if earlier is None else self._go_on(data, earlier)
        rows = pack_rows(data, self.codec_, model.layout, seed)
        self.hidden_ = hidden_shares(self.codec_, frame)
        before = NOTHING if earlier is None else earlier.found_
        self.found_: FoundRules = self._find(data, before)
        if earlier is None:
            model.start_at_marginals(rows)
        self.training_ = model.fit(
            rows,
            seed=seed,
            max_seconds=self.options.max_seconds,
            spent=time.monotonic() - started,
            company=Company(progress, checkpoints),
        )
        self.model_ = model
        return self

    def _fit_privately(self, data: Dataset, seed: int, progress: ProgressCallback | None) -> Self:
        check_private_options(ModelChoice(name=self.name, options=self.options.model_dump()))
        table, _ = only_table(data, self.name)
        self.contract_, self.table_ = data.contract, table
        rows = PrivateRows.of(data, self.name)
        self.codec_, self.rows_ = rows.bought.codec, max(1, round(rows.about))
        self.hidden_, self.found_ = {}, NOTHING
        model = self._untrained(self.options.sizes(private_sizes(rows.about)), seed)

        def told(done: float) -> None:
            if progress is not None:
                progress(done, {})

        self.statement_ = rows.train(model, told)
        self.model_ = model
        return self

    def _find(self, data: Dataset, earlier: FoundRules) -> FoundRules:
        """The relations that hold in all rows, if they are asked for.

        Those that an earlier model found and that still hold stay: new rows may be too few to find
        them in.
        """
        if not self.options.find_relations:
            return NOTHING
        units = unit_ids(self.table_, data.frame)
        found = find_rules(data, self.table_, self.codec_, units)
        if earlier.idle:
            return found
        return found.with_earlier(still_held(earlier, data, self.table_, self.codec_))

    def _start(self, data: Dataset, seed: int) -> CodeModel:
        """A model with random weights and a codec of these rows."""
        units = unit_ids(self.table_, data.frame)
        self.codec_ = TableCodec().fit(data.frame, self.table_, units=units)
        return self._untrained(self._sizes(data), seed)

    def _go_on(self, data: Dataset, earlier: Self) -> CodeModel:
        """A model with the codec and the weights of an earlier one, to be trained for less long."""
        check_kind(earlier, self.name)
        check_promises(earlier.table_, self.table_)
        self.codec_ = TableCodec.restore(self.table_, earlier.codec_.state())
        check_values(self.codec_, data.frame, earlier.hidden_)
        chosen, old = self._sizes(data), earlier.model_.sizes
        check_sizes(old, {"width": self.options.width, "blocks": self.options.blocks})
        epochs = self.options.epochs or math.ceil(REFRESHED * chosen.epochs)
        sizes = chosen._replace(width=old.width, blocks=old.blocks, epochs=epochs)
        return self._untrained(sizes).restore(earlier.model_.arrays())

    def _untrained(self, sizes: Sizes, seed: int = 0) -> CodeModel:
        """A model with random weights that draws the target from the cells of all other columns.

        The network then predicts what others will learn to predict from its rows.
        """
        target = self.table_.target
        late = self.codec_.columns_.get(target.name, range(0)) if target else range(0)
        return CodeModel.untrained(self.codec_.parts_, sizes, seed=seed, late=late)

    def _sizes(self, data: Dataset) -> Sizes:
        # As the network sees them: a column of 100,000 values is two codes of 317.
        shapes = CodeLayout.of(self.codec_.parts_).shapes
        values = sum(shape.cardinality for shape in shapes)
        return self.options.sizes(choose_sizes(data.rows, values))

    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        seed: int,
        first_row: int = 0,
        temperature: float = 1.0,
    ) -> Dataset:
        """Exactly `n` rows; ModelError before `fit`, or for what cannot be given.

        `given` may name a Range, OneOf or Shares beside single values. A temperature below 1 makes
        likely values likelier, one above 1 evens them out.
        """
        check_fitted(self, "model_", "sample")
        if not 0 < temperature < math.inf:
            raise ModelError(f"temperature {temperature:g}: must be more than 0.")
        request = Request(n, given, seed, first_row)
        frame = sample_frame(
            self.codec_,
            self.table_,
            request,
            partial(self.model_.complete, temperature=temperature),
            Guidance(partial(self.model_.complete_guided, temperature=temperature), self.found_),
        )
        return Dataset(self.contract_, {self.table_.name: frame})

    def impute(self, data: Dataset, *, seed: int, point: bool = False) -> Dataset:
        """The rows of `data` with their missing cells filled in, given all known cells of the row.

        One draw from the learned conditional distribution: other seeds give other draws. As a
        `point`, the middle of 21 draws, or the commonest of them where values have no order.
        Identifiers and columns without any value stay as they are, and so does a cell with which
        the row breaks a rule of the contract whatever is drawn; ModelError where that column is
        required, before `fit`, or for rows of other columns.
        """
        check_fitted(self, "model_", "impute")
        check_columns(data, self.table_, self.name)
        guidance = Guidance(self.model_.complete_guided, self.found_)
        imputer = Imputer(self.codec_, self.table_, guidance)
        fill = imputer.point if point else imputer.draw
        return Dataset(self.contract_, {self.table_.name: fill(data.frame, seed)})

    def log_density(self, data: Dataset, *, columns: Sequence[str] | None = None) -> np.ndarray:
        """The log density of each row of `data` in nats, `(rows,)`; of `columns` only, if named.

        A product of a density for each number that may lie anywhere and of a probability for
        everything else. Minus infinity where a value is never drawn: protected, or out of range.
        Identifiers count for nothing. It is the network's own: the corrections by which drawn rows
        match marginals are left out. ModelError before `fit`, for rows of other columns or
        for an unknown column.
        """
        check_fitted(self, "model_", "log_density")
        check_columns(data, self.table_, self.name)
        names = list(self.table_.column_names) if columns is None else list(columns)
        if unknown := [name for name in names if name not in self.codec_.columns_]:
            raise ModelError(f"log_density: no column {', '.join(unknown)}.")
        parts = [part for name in names for part in self.codec_.columns_[name]]
        logs = [
            self.model_.log_probabilities(self.codec_.encode(rows), parts)
            + self.codec_.log_detail(rows, names)
            for rows in blocks(data.parts())
        ]
        return np.concatenate([np.empty(0), *logs])

    def evidence(self, rows: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:  # noqa: ARG002
        """How much the fit speaks for each of `rows` having been there, `(rows,)`.

        For who audits a private fit: by how much the log probability of the whole row is above what
        its values have one by one. A row with a value that is never drawn says nothing.
        """
        check_fitted(self, "model_", "evidence")
        codes, parts = self.codec_.encode(rows), range(len(self.codec_.parts_))
        told = self.model_.log_probabilities(codes, parts)
        known = np.isfinite(told)
        for part in parts:
            told[known] -= self.model_.log_probabilities(codes[known], [part])
        return np.where(known, told, 0.0)

    def save(self, folder: Path) -> None:
        """Writes the fitted model into `folder`; ModelError before `fit`."""
        check_fitted(self, "model_", "save")
        paid = {}
        if hasattr(self, "statement_"):
            paid = {"rows": self.rows_, "statement": self.statement_.model_dump(mode="json")}
        stored = StoredModel.of(
            self,
            self.model_.arrays() | prefixed(self.found_.arrays(), FOUND),
            options=self.options.model_dump(),
            sizes=self.model_.sizes._asdict(),
            hidden=self.hidden_,
            found=self.found_.settings(),
            **paid,
        )
        write_model(folder, stored)

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> Self:
        """The model that `save` wrote; ModelError when the folder or the contract is another."""
        stored = read_model(folder)
        generator = cls(AnyOrderOptions(**stored.settings["options"]))
        generator.contract_ = contract
        generator.table_, generator.codec_ = stored.table_and_codec(contract)
        generator.hidden_ = stored.settings["hidden"]
        if "statement" in stored.settings:
            generator.rows_ = int(stored.settings["rows"])
            generator.statement_ = Statement.model_validate(stored.settings["statement"])
        sizes = Sizes(**stored.settings["sizes"])
        found = unprefixed(stored.arrays, FOUND)
        generator.found_ = FoundRules.restore(stored.settings["found"], found)
        weights = {
            name: array for name, array in stored.arrays.items() if not name.startswith(f"{FOUND}/")
        }
        generator.model_ = generator._untrained(sizes).restore(weights)
        return generator
