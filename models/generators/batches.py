"""What all generators of single tables share: input checks and sampling in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_list_like

from data_contracts.contract import Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from models.base import Given
from models.conditions import Wish
from models.encoding.column import UNKNOWN, BoolArray, IntArray
from models.encoding.table import TableCodec
from models.encoding.typed_values import with_columns
from models.generators.crowds import crowds
from models.generators.exact_wishes import asked_exactly
from models.generators.found_rules import NOTHING, FoundRules
from models.generators.guide import Guide
from models.generators.issued_presence import issued_by_rule
from models.generators.kept_rules import EarlierKeys, Kept, keep_rules
from models.registry import REGISTRY

MOST_CODES = 2**24
"""Codes held at once while sampling; 128 MiB of int64."""

Complete = Callable[[IntArray, np.random.Generator], IntArray]
"""Fills the unknown codes (UNKNOWN) of rows `(rows, parts)` and leaves the known ones."""

Guided = Callable[[IntArray, np.random.Generator, Guide], IntArray]
"""As `Complete`, keeping to a guide."""


GUIDED_NUMBERS = 2**25
"""Rows times values of a column that are weighed at once; 256 MiB of float64."""
GUIDED_ROWS = 2**18
"""Rows that are guided at once: a network holds some hundred numbers of each."""


@dataclass(frozen=True)
class Guidance:
    """How rows are drawn under rules and wishes, and which rules were found beside the contract."""

    draw: Guided
    found: FoundRules = NOTHING


@dataclass(frozen=True)
class Request:
    """What `sample` was asked for."""

    rows: int
    given: Given | None
    seed: int
    first_row: int = 0


def only_table(data: Dataset, name: str) -> tuple[Table, pd.DataFrame]:
    """The one table of `data` and its rows; ModelError when it is not one of kind `table`."""
    if len(data.tables) != 1:
        raise ModelError(f"{name}: {len(data.tables)} tables given. Fit one table at a time.")
    table = data.contract.table(next(iter(data.tables)))
    if table.kind != "table":
        raise ModelError(
            f"table {table.name!r}: {name} learns kind 'table' only, not {table.kind!r}. Choose "
            "another generator."
        )
    if data.contract.privacy is not None and "dp" not in REGISTRY[name].supports:
        raise ModelError(
            f"{name}: keeps no budget, which contract {data.contract.id!r} asks for (privacy). "
            "Choose dp_marginals or any_order."
        )
    if data.frame.empty:
        raise ModelError(f"table {table.name!r}: 0 rows. A generator needs at least one.")
    return table, data.frame


def check_fitted(generator: object, learned: str, verb: str) -> None:
    """ModelError when a generator has not yet `learned` (an attribute) what a verb needs."""
    if not hasattr(generator, learned):
        name = getattr(generator, "name", type(generator).__name__)
        raise ModelError(f"{name}: not fitted. Call `fit` or `load` before `{verb}`.")


def refuse_given(name: str, given: Given | None) -> None:
    """ModelError when anything is given to a generator that can't be given values."""
    if given is not None and len(given.keys()):
        raise ModelError(f"{name}: can't be given values. Choose another generator.")


def rows_of(data: Dataset, fitted: Table, name: str) -> pd.DataFrame:
    """The rows of the one table of `data`; ModelError when it has not the columns of `fitted`."""
    _, frame = only_table(data, name)
    check_columns(data, fitted, name)
    return frame


def check_columns(data: Dataset, fitted: Table, name: str) -> None:
    """ModelError when `data`, whatever its rows, is not one table of the columns of `fitted`."""
    if len(data.tables) != 1:
        raise ModelError(f"{name}: {len(data.tables)} tables given. Give one table at a time.")
    table = data.contract.table(next(iter(data.tables)))
    if table.column_names != fitted.column_names:
        raise ModelError(
            f"table {table.name!r}: not of the columns that {name} was fitted to "
            f"({', '.join(fitted.column_names)}). Give rows of the same table."
        )


def check_seed(seed: int) -> None:
    """ModelError for a seed below 0: no stream of random numbers has it."""
    if seed < 0:
        raise ModelError(f"seed {seed}: below 0. Give 0 or a larger whole number.")


def unit_ids(table: Table, frame: pd.DataFrame) -> IntArray | None:
    """Which unit of privacy each row belongs to, as ids; None where each row is its own."""
    if table.unit is None or table.unit not in frame.columns:
        return None
    ids, _ = pd.factorize(frame[table.unit], use_na_sentinel=False)
    return ids.astype(np.int64)


def sample_frame(
    codec: TableCodec,
    table: Table,
    request: Request,
    complete: Complete,
    guided: Guidance | None = None,
) -> pd.DataFrame:
    """Exactly the rows asked for, drawn and decoded batch after batch.

    With `guided`, wishes can be kept, and rules between columns are kept while drawing; without it,
    wishes are refused, and rows that break a rule are drawn again.
    """
    _check(table, request, wishes=guided is not None)
    maker = _Maker(codec, table, complete, guided)
    size = maker.batch_rows(request.given)
    starts = range(0, max(request.rows, 1), size)
    seeds = np.random.SeedSequence(request.seed).spawn(len(starts))
    frames = []
    earlier = EarlierKeys(table)
    for start, seed in zip(starts, seeds, strict=True):
        rows = min(size, request.rows - start)
        given = _slice(request.given, start, start + rows)
        batch = _Batch(maker, rows, given, np.random.default_rng(seed))
        frame = batch.draw(np.arange(rows), request.first_row + start)
        names = frozenset() if given is None else frozenset(map(str, given.keys()))
        issued = issued_by_rule(table, codec, request.first_row + start, rows)
        numbered = start if isinstance(given, pd.DataFrame) else None
        kept = Kept(table, codec, names, batch.outside, maker.found, earlier, issued, numbered)
        frames.append(keep_rules(frame, kept, batch.redraw))
        earlier.add(frames[-1])
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class _Maker:
    """Whose rows are made, and how."""

    codec: TableCodec
    table: Table
    complete: Complete
    guided: Guidance | None

    @property
    def found(self) -> FoundRules:
        """The rules that were found by themselves."""
        return NOTHING if self.guided is None else self.guided.found

    def batch_rows(self, given: Given | None) -> int:
        """How many rows are drawn together: as many as fit, fewer where values are weighed."""
        size = max(1, MOST_CODES // max(1, len(self.codec.parts_)))
        if self.guided is None:
            return size
        followed = Guide(self.codec, self.table, 1, self.found).followed | _wishes(given).keys()
        values = [
            self.codec.parts_[part].cardinality
            for name in followed
            for part in self.codec.columns_.get(name, ())
        ]
        if not values:
            return size
        return max(1, min(size, GUIDED_ROWS, GUIDED_NUMBERS // max(values)))


class _Batch:
    """Rows that are drawn together, and what is asked of each of them."""

    def __init__(
        self, maker: _Maker, rows: int, given: Given | None, random: np.random.Generator
    ) -> None:
        self.maker, self.random = maker, random
        self.given, wishes = _exact(given), _wishes(given)
        self.guide: Guide | None = None
        if maker.guided is not None:
            self.guide = Guide(maker.codec, maker.table, rows, maker.found)
            self.guide.wish(wishes, random)

    def draw(self, rows: IntArray, first_row: int) -> pd.DataFrame:
        """The rows at these positions of the batch, whose identifiers count from `first_row`."""
        if self.guide is not None and self.guide.crowded:
            together = crowds(self.guide.kinds[rows])
            if len(together) > 1:
                return self._joined(rows, together, first_row)
        count, given, codec = len(rows), self.given, self.maker.codec
        if isinstance(given, pd.DataFrame):
            given = given.iloc[rows].reset_index(drop=True)
        if given is None:
            codes = np.full((count, len(codec.parts_)), UNKNOWN, dtype=np.int64)
        else:
            codes = codec.encode_given(given, count)
        frame = self._decoded(codes, rows, given, first_row)
        return frame if given is None else codec.apply_given(frame, given, count)

    def _joined(self, rows: IntArray, together: list[IntArray], first_row: int) -> pd.DataFrame:
        """As `draw`, some of the rows after the other, so that memory holds few candidates."""
        frames = [self.draw(rows[some], first_row) for some in together]
        order = np.argsort(np.concatenate(together))
        frame = pd.concat(frames, ignore_index=True).take(order).reset_index(drop=True)
        return with_columns(frame, self.maker.codec.issue(first_row, len(rows), self.random))

    def _decoded(
        self, codes: IntArray, rows: IntArray, given: Given | None, first_row: int
    ) -> pd.DataFrame:
        codec, random = self.maker.codec, self.random
        if self.maker.guided is None or self.guide is None or self.guide.idle:
            return codec.decode(self.maker.complete(codes, random), random, first_row)
        guide = self.guide.on(rows)
        if given is not None:
            guide.fix(codec.given_values(given, len(rows)), {})
        drawn = self.maker.guided.draw(codes, random, guide)
        frame = codec.decode(drawn, random, first_row, guide.decoders())
        wanted = {name: (spans.exact, spans.wanted) for name, spans in guide.wished.items()}
        return asked_exactly(codec, frame, wanted)

    def redraw(self, rows: IntArray) -> pd.DataFrame:
        """Rows at these positions once more, without identifiers: those stay as issued."""
        return self.draw(rows, 0).drop(columns=list(self.maker.codec.issued_))

    def outside(self, frame: pd.DataFrame) -> BoolArray:
        """Which rows of the batch do not keep what was wished."""
        if self.guide is None:
            return np.zeros(len(frame), dtype=np.bool_)
        return self.guide.outside(frame)


def _exact(given: Given | None) -> Given | None:
    if given is None or isinstance(given, pd.DataFrame):
        return given
    return {name: value for name, value in given.items() if not isinstance(value, Wish)} or None


def _wishes(given: Given | None) -> dict[str, Wish]:
    if given is None or isinstance(given, pd.DataFrame):
        return {}
    return {name: value for name, value in given.items() if isinstance(value, Wish)}


def _singles(given: Given) -> list[tuple[str, Any]]:
    """What is given once for all rows."""
    if isinstance(given, pd.DataFrame):
        return []
    return [(str(name), value) for name, value in given.items()]


def _slice(given: Given | None, start: int, stop: int) -> Given | None:
    if given is None or len(given.keys()) == 0:
        return None
    return given.iloc[start:stop] if isinstance(given, pd.DataFrame) else given


def _check(table: Table, request: Request, *, wishes: bool) -> None:
    if request.rows < 0:
        raise ModelError(f"table {table.name!r}: {request.rows} rows asked for. Ask for 0 or more.")
    check_seed(request.seed)
    if request.given is None:
        return
    unknown = [str(name) for name in request.given.keys() if name not in table.column_names]
    if unknown:
        raise ModelError(
            f"table {table.name!r}: given {', '.join(unknown)}, which it does not have. Its "
            f"columns: {', '.join(table.column_names)}."
        )
    names = pd.Index(list(request.given.keys()))
    if twice := ", ".join(map(str, names[names.duplicated()])):
        raise ModelError(f"table {table.name!r}: given {twice} twice. Give each column once.")
    if several := [name for name, value in _singles(request.given) if is_list_like(value)]:
        raise ModelError(
            f"table {table.name!r}: given {', '.join(several)}: several values for one column. "
            "Give one value for all rows, or a frame with a row of values for each."
        )
    if not wishes and _wishes(request.given):
        raise ModelError(
            f"table {table.name!r}: this generator can't be given ranges, choices or shares. Give "
            "single values, or choose any_order."
        )
    if isinstance(request.given, pd.DataFrame) and len(request.given) != request.rows:
        raise ModelError(
            f"table {table.name!r}: {len(request.given)} given rows for {request.rows} rows. Give "
            "a row for each."
        )
