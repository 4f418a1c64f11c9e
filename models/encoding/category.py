"""Categories and booleans as one code each, with values of few people left out."""

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.checks import broken_rows, row_rules
from data_contracts.contract import Column, Source, Table
from data_contracts.schema import arrow_type, pandas_dtype
from models.encoding.column import (
    THRESHOLD,
    UNKNOWN,
    BoolArray,
    IntArray,
    Part,
    State,
    unit_counts,
)

OTHER = "(other)"
"""Stands for all values of text that too few people share, where they are many together."""
OTHER_SHARE = 0.05


class CategoryCodec:
    """A category as one code: missing, then each value that enough units share.

    A value that fewer than `threshold` units hold is protected: it has no code, is neither stored
    nor drawn, and its rows count as unknown, also where the contract lists it. Where such rows are
    more than a twentieth of a column of text, one code stands for all of them, "(other)", if the
    contract lets the column hold that text. Loss: protected values only.
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
        nothing = not self.missing_ and not len(kept)
        self.other_ = self._may_be_other() and (
            rare > OTHER_SHARE * max(len(values), 1) or (nothing and rare > 0)
        )
        if nothing and not self.other_:
            # Nothing may be shown and nothing else may stand for it: the most held value does.
            self.values_ = self._plain(
                pd.Series(found).iloc[np.argsort(-counts, kind="stable")[:1]]
            )
        self.parts_ = (Part(self.missing_ + len(self.values_) + self.other_),)
        return self

    def encode(self, values: pd.Series) -> IntArray:
        """Codes (rows, 1) of the values (rows,)."""
        codes = self._places(values) + self.missing_
        known = values.notna().to_numpy(dtype=bool)
        protected = codes < self.missing_
        codes[protected] = self.missing_ + len(self.values_) if self.other_ else UNKNOWN
        codes[~known] = 0 if self.missing_ else UNKNOWN
        return codes[:, None]

    def decode(self, codes: IntArray, random: np.random.Generator) -> pd.Series:
        """Values (rows,) of the codes (rows, 1), in the dtype that was learned."""
        listed = self.values_ + ([OTHER] if self.other_ else [])
        place = codes[:, 0] - self.missing_
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

    @property
    def domain(self) -> str:
        """The values, if they are few, or how many."""
        if len(self.values_) > 20:
            return f"one of {len(self.values_)} values that at least {self.threshold} units hold"
        listed = ", ".join(str(value) for value in self.values_)
        return f"one of {listed}" + (" or nothing" if self.missing_ else "")

    def state(self) -> State:
        """What `restore` needs: the values as JSON."""
        texts = [value if isinstance(value, bool) else str(value) for value in self.values_]
        settings: dict[str, Any] = {
            "missing": self.missing_,
            "other": self.other_,
            "values": texts,
            "threshold": self.threshold,
        }
        if isinstance(self.dtype_, pd.CategoricalDtype):
            settings["categories"] = [
                value for value in self.dtype_.categories if value in set(self.values_)
            ]
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
        codec.parts_ = (Part(codec.missing_ + len(codec.values_) + codec.other_),)
        return codec

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
        shown = set(listed)
        kept = [value for value in self.dtype_.categories if value in shown]
        kept += [OTHER] * (self.other_ and OTHER not in kept)
        of_code = pd.Index(kept, dtype=object).get_indexer(pd.Index(listed, dtype=object))
        codes = np.where(place < 0, -1, np.append(of_code, -1)[place])
        dtype = pd.CategoricalDtype(pd.Index(kept, dtype="str"), ordered=self.dtype_.ordered)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype))

    def _may_be_other(self) -> bool:
        """Whether the contract lets the column hold the text that stands for rare values."""
        if self.column.logical_type != "string":
            return False
        row = pa.table({self.column.name: pa.array([OTHER], pa.string())})
        alone = self.column.model_copy(update={"physical_type": "string"})
        table = Table(name="column", columns=(alone,), source=Source(format="csv"))
        return not any(bool(broken_rows(rule, row).any()) for rule in row_rules(table))


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
