"""Categories and booleans as one code each, with values of few people left out."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.checks import broken_rows, row_rules
from data_contracts.contract import Column, Source, Table
from data_contracts.errors import ModelError
from data_contracts.schema import arrow_type, pandas_dtype
from models.encoding.column import (
    THRESHOLD,
    UNKNOWN,
    BoolArray,
    FloatArray,
    IntArray,
    Part,
    State,
    unit_counts,
)
from models.encoding.issuers import issuer_of
from models.encoding.pattern import parse_pattern

OTHER = "(other)"
"""Stands for all values of text that too few people share, where they are many together."""
OTHER_SHARE = 0.05
MOST_MADE_UP = 1_000
"""How many different values at most are made up in the place of protected ones."""


class CategoryCodec:
    """A category as one code: missing, then each value that enough units share.

    A value that fewer than `threshold` units hold is protected: it has no code, is neither stored
    nor drawn, and its rows count as unknown, also where the contract lists it. Where such rows are
    more than a twentieth of a column of text, one code stands for all of them: "(other)", if the
    contract lets the column hold that text, else texts made up by the contract's pattern. Where
    not one value may be shown and nothing can stand for them, all are missing, or, in a required
    column, `fit` raises ModelError. Loss: protected values only.
    """

    kind: ClassVar[str] = "category"

    def __init__(self, column: Column, threshold: int = THRESHOLD) -> None:
        self.column, self.threshold = column, threshold

    def fit(self, values: pd.Series, units: IntArray | None = None) -> Self:
        """Learns the values; `units` (rows,) says whose each value is."""
        self.dtype_: Any = values.dtype
        index, found = pd.factorize(values, sort=False)
        index = index.astype(np.int64)
        counts = unit_counts(index, len(found), units)
        self.missing_ = bool((index < 0).any())
        kept = np.flatnonzero(counts >= self.threshold)
        names = pd.Series(found).iloc[kept]
        # By name, so that the order of rows changes no code.
        order = np.argsort(names.astype(str).to_numpy(), kind="stable")
        self.values_ = self._plain(names.iloc[order])
        rare = int((~np.isin(index[index >= 0], kept)).sum())
        self.other_, self.asked_ = False, 0
        self.made_up_: list[str] = []
        if rare > OTHER_SHARE * len(values) or (rare and not len(kept)):
            self.other_ = self._allows([OTHER])
            if not self.other_:
                self.asked_ = min(len(found) - len(kept), MOST_MADE_UP)
                self.made_up_ = self._made_up(self.asked_)
        if rare and not self._listed:
            self._show_nothing()
        self.parts_ = (Part(self.missing_ + len(self.values_) + self._stands_in),)
        return self

    def _show_nothing(self) -> None:
        """All values are missing: not one of them may be shown."""
        if self.column.required:
            listed = self.column.categories is not None and self.column.logical_type == "string"
            instead = f", list {OTHER!r} among its categories to stand for them" if listed else ""
            raise ModelError(
                f"column {self.column.name!r}: fewer than {self.threshold} units share any of its "
                "values, so that none may be shown. Mark it as an identifier in the contract"
                f"{instead}, or make its values coarser."
            )
        self.missing_ = True

    def encode(self, values: pd.Series) -> IntArray:
        """Codes (rows, 1) of the values (rows,)."""
        codes = self._places(values) + self.missing_
        known = values.notna().to_numpy(dtype=bool)
        protected = codes < self.missing_
        codes[protected] = self.missing_ + len(self.values_) if self._stands_in else UNKNOWN
        if not self._listed:
            # All that can be drawn is a missing value.
            codes[:] = 0
        codes[~known] = 0 if self.missing_ else UNKNOWN
        return codes[:, None]

    def decode(self, codes: IntArray, random: np.random.Generator) -> pd.Series:
        """Values (rows,) of the codes (rows, 1), in the dtype that was learned."""
        listed = self._listed
        place = codes[:, 0] - self.missing_
        if self.made_up_:
            rare = place >= len(self.values_)
            place[rare] += random.integers(len(self.made_up_), size=int(rare.sum()))
        if isinstance(self.dtype_, pd.CategoricalDtype):
            return self._categorical(listed, place)
        pool = pd.Series([*listed, None], dtype=self.dtype_)
        taken = pool.take(np.where(place < 0, len(listed), place))
        values: pd.Series[Any] = taken.reset_index(drop=True)
        return values

    def outside(self, values: pd.Series) -> BoolArray:
        """Values without a code of their own: protected or unheard of."""
        known = values.notna().to_numpy(dtype=bool)
        found = self._places(values) >= 0
        if self.other_:
            found |= (values.astype(object) == OTHER).fillna(False).to_numpy(dtype=bool)
        return np.where(known, ~found, not self.missing_)

    def log_detail(self, values: pd.Series) -> FloatArray:
        """The log probability of values `(rows,)` given their codes; -inf for what is never drawn.

        The code that stands for all protected values is drawn as "(other)" or as a made-up text.
        """
        known = values.notna().to_numpy(dtype=bool)
        logs = np.where(known & (self._places(values) < 0), -np.inf, 0.0)
        if self.other_:
            logs[(values.astype(object) == OTHER).fillna(False).to_numpy(dtype=bool)] = 0.0
        if self.made_up_:
            made_up = values.astype(object).isin(self.made_up_).to_numpy(dtype=bool)
            logs[made_up] = -np.log(len(self.made_up_))
        return logs

    @property
    def domain(self) -> str:
        """The values, if they are few, or how many."""
        if len(self.values_) > 20:
            return f"one of {len(self.values_)} values that at least {self.threshold} units hold"
        if not self.values_ and self.other_:
            return f"{OTHER} only" + " or nothing" * self.missing_
        if not self.values_:
            return "nothing: too few units share any of its values"
        listed = ", ".join(str(value) for value in self.values_)
        return f"one of {listed}" + (" or nothing" if self.missing_ else "")

    def state(self) -> State:
        """What `restore` needs: the values as JSON."""
        texts = [value if isinstance(value, bool) else str(value) for value in self.values_]
        settings: dict[str, Any] = {
            "missing": self.missing_,
            "other": self.other_,
            "made_up": self.asked_,
            "values": texts,
            "threshold": self.threshold,
        }
        if isinstance(self.dtype_, pd.CategoricalDtype):
            shown = set(self.values_)
            settings["categories"] = [one for one in self.dtype_.categories if one in shown]
        return State(settings)

    @classmethod
    def restore(cls, column: Column, dtype: Any, state: State) -> Self:
        """The codec that `state` was taken from."""
        codec = cls(column, state.settings["threshold"])
        codec.missing_, codec.other_ = state.settings["missing"], state.settings["other"]
        codec.dtype_ = dtype
        if isinstance(dtype, pd.CategoricalDtype):
            codec.dtype_ = pd.CategoricalDtype(state.settings["categories"], dtype.ordered)
        texts = pa.array([str(value) for value in state.settings["values"]], pa.string())
        typed = texts.cast(pa.string() if column.logical_type == "string" else _target(column))
        codec.values_ = codec._plain(pd.Series(typed.to_pylist(), dtype=object))
        codec.asked_ = state.settings["made_up"]
        codec.made_up_ = codec._made_up(codec.asked_)
        codec.parts_ = (Part(codec.missing_ + len(codec.values_) + codec._stands_in),)
        return codec

    @property
    def _listed(self) -> list[Any]:
        """All values that may be drawn."""
        return self.values_ + [OTHER] * self.other_ + self.made_up_

    @property
    def _stands_in(self) -> bool:
        """Whether a code stands for all protected values."""
        return self.other_ or bool(self.made_up_)

    def _plain(self, names: pd.Series) -> list[Any]:
        """Values as plain Python objects, as the contract's type has them."""
        return [value.item() if hasattr(value, "item") else value for value in names.tolist()]

    def _places(self, values: pd.Series) -> IntArray:
        """The place of each value among `values_`, -1 where it has none."""
        pool = pd.Index(self.values_, dtype=object)
        if isinstance(values.dtype, pd.CategoricalDtype):
            of_category = pool.get_indexer(pd.Index(values.dtype.categories, dtype=object))
            own = values.cat.codes.to_numpy(dtype=np.int64)
            return np.where(own >= 0, np.append(of_category, -1)[own], -1).astype(np.int64)
        index, found = pd.factorize(values, sort=False)
        plain = self._plain(pd.Series(found))
        places = pool.get_indexer(pd.Index(plain, dtype=object))
        return np.where(index >= 0, np.append(places, -1)[index], -1).astype(np.int64)

    def _categorical(self, listed: list[Any], place: IntArray) -> pd.Series:
        """Values with those categories of the column, in its order, that may be shown."""
        shown = set(self.values_)
        kept = [value for value in self.dtype_.categories if value in shown]
        kept += [value for value in listed[len(self.values_) :] if value not in shown]
        of_code = pd.Index(kept, dtype=object).get_indexer(pd.Index(listed, dtype=object))
        codes = np.where(place < 0, -1, np.append(of_code, -1)[place])
        dtype = pd.CategoricalDtype(pd.Index(kept, dtype="str"), ordered=self.dtype_.ordered)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype))

    def _made_up(self, count: int) -> list[str]:
        """At most `count` different texts by the contract's pattern; none where it has none."""
        if self.column.pattern is None or not count:
            return []
        pattern = parse_pattern(self.column.pattern)
        if pattern is None:
            return []
        issue = issuer_of(None, pattern, None)
        texts = dict.fromkeys(issue(index) for index in range(min(count, pattern.count)))
        real = set(self.values_)
        return [text for text in texts if text not in real] if self._allows(texts) else []

    def _allows(self, texts: Iterable[str]) -> bool:
        """Whether the contract lets the column hold these texts."""
        if self.column.logical_type != "string":
            return False
        rows = pa.table({self.column.name: pa.array(list(texts), pa.string())})
        alone = self.column.model_copy(update={"physical_type": "string"})
        table = Table(name="column", columns=(alone,), source=Source(format="csv"))
        return not any(bool(broken_rows(rule, rows).any()) for rule in row_rules(table))


def _target(column: Column) -> pa.DataType:
    return arrow_type(column.physical_type)


def dtype_of(column: Column) -> Any:
    """The pandas dtype of a column's frames, before any value is known."""
    target = arrow_type(column.physical_type)
    if pa.types.is_dictionary(target):
        return pd.CategoricalDtype(ordered=column.ordered)
    if pa.types.is_timestamp(target) and target.tz is not None:
        return pd.DatetimeTZDtype(target.unit, target.tz)
    if pa.types.is_string(target) or pa.types.is_large_string(target):
        return pd.api.types.pandas_dtype("str")
    chosen = pandas_dtype(target)
    return np.dtype(target.to_pandas_dtype()) if chosen is None else chosen
