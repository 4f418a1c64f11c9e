"""Row rules in drawn rows: drawn again until they hold, mended at last, or told."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Column, Comparison, Source, Sum, Table
from data_contracts.errors import ModelError
from data_contracts.schema import arrow_schema, to_frame
from data_contracts.written_rules import Term
from models.encoding.column import IntArray
from models.encoding.table import TableCodec
from models.generators import batches
from models.generators.batches import Guidance, Request, sample_frame
from models.generators.guide import Guide
from models.generators.kept_rules import ROUNDS, EarlierKeys, Kept, keep_rules

_WHOLE = {"logical_type": "integer", "physical_type": "int64"}


def table(*rules: Comparison, **more: Any) -> Table:
    columns = (Column(name="low", **_WHOLE), Column(name="high", **_WHOLE))
    source = Source(format="csv", path="t.csv")
    return Table(name="t", columns=columns, source=source, row_rules=rules, **more)


def frame(low: list[int | None], high: list[int | None]) -> pd.DataFrame:
    return to_frame(pa.table({"low": low, "high": high}, schema=arrow_schema(table())))


def counted(draw: Callable[[int], pd.DataFrame]) -> tuple[list[int], Callable[..., pd.DataFrame]]:
    asked: list[int] = []

    def redraw(rows: IntArray) -> pd.DataFrame:
        asked.append(len(rows))
        return draw(len(rows))

    return asked, redraw


def kept(keeping: Table, *given: str) -> Kept:
    codec = TableCodec().fit(frame([1, 2] * 40, [2, 3] * 40), keeping)
    return Kept(keeping, codec, frozenset(given), lambda rows: np.zeros(len(rows), dtype=np.bool_))


ORDERED = Comparison(left="low", operator="<=", right="high")


def test_only_rows_that_break_a_rule_are_drawn_again() -> None:
    asked, redraw = counted(lambda rows: frame([1] * rows, [2] * rows))
    rows = keep_rules(frame([1, 9, 5, None], [4, 3, 5, 0]), kept(table(ORDERED)), redraw)
    assert asked == [1]
    assert rows["low"].tolist()[:3] == [1, 1, 5]
    assert rows["high"].tolist() == [4, 2, 5, 0]
    assert rows.dtypes.tolist() == frame([1], [1]).dtypes.tolist()


def test_a_table_without_rules_is_left_alone() -> None:
    asked, redraw = counted(lambda rows: frame([0] * rows, [0] * rows))
    rows = frame([9], [1])
    assert keep_rules(rows, kept(table()), redraw) is rows
    assert asked == []


def test_drawing_again_gives_the_conditional_distribution() -> None:
    random = np.random.default_rng(1)

    def draw(rows: int) -> pd.DataFrame:
        return frame(list(random.integers(0, 4, rows)), list(random.integers(0, 4, rows)))

    _, redraw = counted(draw)
    rows = keep_rules(draw(20_000), kept(table(ORDERED)), redraw)
    shares = rows.value_counts(normalize=True)
    assert len(shares) == 10
    assert np.abs(shares.to_numpy() - 0.1).max() < 0.01


@pytest.mark.parametrize(("given", "low", "high"), [("low", 9, 9), ("high", 3, 3)])
def test_what_chance_never_meets_is_mended_on_the_side_that_is_free(
    given: str, low: int, high: int
) -> None:
    asked, redraw = counted(lambda rows: frame([9] * rows, [3] * rows))
    rule = Comparison(left="low", operator="==", right="high")
    rows = keep_rules(frame([9], [3]), kept(table(rule), given), redraw)
    assert (rows["low"][0], rows["high"][0]) == (low, high)
    assert len(asked) == ROUNDS + 1


def test_what_nothing_can_keep_is_told() -> None:
    _, redraw = counted(lambda rows: frame([9] * rows, [3] * rows))
    with pytest.raises(ModelError, match=r"1 of 1 rows .*low < high"):
        rule = Comparison(left="low", operator="<", right="high")
        keep_rules(frame([9], [3]), kept(table(rule)), redraw)
    with pytest.raises(ModelError, match="low <= high"):
        keep_rules(frame([9], [3]), kept(table(ORDERED), "low", "high"), redraw)


def test_given_rows_that_nothing_can_keep_are_named() -> None:
    _, redraw = counted(lambda rows: frame([9] * rows, [3] * rows))
    asked = replace(kept(table(ORDERED), "low", "high"), first_given=40)
    rows = frame([1, 9, 1, 9], [3] * 4)
    with pytest.raises(ModelError, match=r"2 of 4 rows .* from 0: 41, 43\."):
        keep_rules(rows, asked, redraw)
    with pytest.raises(ModelError, match=r"from 0: 40, .*49, \.\.\.\."):
        keep_rules(frame([9] * 30, [3] * 30), asked, redraw)


def test_rows_unique_together_are_drawn_again_until_they_differ() -> None:
    random = np.random.default_rng(2)

    def draw(rows: int) -> pd.DataFrame:
        return frame(list(random.integers(0, 40, rows)), list(random.integers(0, 40, rows)))

    _, redraw = counted(draw)
    unique = table(unique_together=(("low", "high"),))
    rows = keep_rules(draw(800), kept(unique), redraw)
    assert not rows.duplicated().any()
    _, same = counted(lambda rows: frame([1] * rows, [1] * rows))
    with pytest.raises(ModelError, match=r"low, high unique together.*fewer rows"):
        keep_rules(frame([1, 1], [1, 1]), kept(unique), same)


def test_nearly_all_combinations_that_there_are_can_be_drawn() -> None:
    random = np.random.default_rng(4)

    def draw(rows: int) -> pd.DataFrame:
        return frame(list(random.integers(0, 20, rows)), list(random.integers(0, 20, rows)))

    asked, redraw = counted(draw)
    rows = keep_rules(draw(396), kept(table(unique_together=(("low", "high"),))), redraw)
    assert not rows.duplicated().any()
    assert len(asked) > 2 * ROUNDS


def test_more_rows_than_combinations_are_told_with_their_number() -> None:
    random = np.random.default_rng(5)

    def draw(rows: int) -> pd.DataFrame:
        return frame(list(random.integers(0, 3, rows)), list(random.integers(0, 3, rows)))

    _, redraw = counted(draw)
    with pytest.raises(ModelError, match="low, high unique together, of which 11 rows repeat"):
        keep_rules(draw(20), kept(table(unique_together=(("low", "high"),))), redraw)


def test_a_key_of_several_columns_is_unique_like_any_group() -> None:
    random = np.random.default_rng(6)
    columns = (Column(name="low", primary_key=True, **_WHOLE),
               Column(name="high", primary_key=True, **_WHOLE))  # fmt: skip
    keyed = table().model_copy(update={"columns": columns})
    assert keyed.unique_groups == (("low", "high"),)
    _, redraw = counted(
        lambda rows: frame(list(random.integers(0, 40, rows)), list(random.integers(0, 40, rows)))
    )
    rows = keep_rules(frame([1] * 300, [1] * 300), kept(keyed), redraw)
    assert not rows.duplicated().any()


def test_missing_values_differ_from_each_other() -> None:
    asked, redraw = counted(lambda rows: frame([0] * rows, [0] * rows))
    unique = table(unique_together=(("low", "high"),))
    keep_rules(frame([1, 1], [None, None]), kept(unique), redraw)
    assert asked == []


def test_keys_differ_from_those_of_rows_drawn_before() -> None:
    unique = table(unique_together=(("low", "high"),))
    earlier = EarlierKeys(unique)
    earlier.add(frame([1, 2, 3], [4, 5, None]))
    asked, redraw = counted(lambda rows: frame([7] * rows, [8] * rows))
    again = replace(kept(unique), earlier=earlier)
    rows = keep_rules(frame([2, 1, 3], [5, 5, None]), again, redraw)
    assert asked == [1]
    assert rows["low"].tolist() == [7, 1, 3]


def test_a_table_drawn_in_batches_repeats_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_CODES", 600)
    unique = table(unique_together=(("low", "high"),))
    random = np.random.default_rng(3)
    training = frame(list(random.integers(0, 40, 4000)), list(random.integers(0, 40, 4000)))
    codec = TableCodec().fit(training, unique)

    def complete(codes: IntArray, random: np.random.Generator) -> IntArray:
        drawn = training.iloc[random.integers(len(training), size=len(codes))]
        return codec.encode(drawn.reset_index(drop=True))

    rows = sample_frame(codec, unique, Request(900, None, 5), complete)
    assert len(rows) == 900
    assert not rows.duplicated().any()


def test_few_rows_at_once_are_guided_however_few_codes_they_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "GUIDED_ROWS", 100)
    ruled = table(Comparison(left="low", operator="<=", right="high"))
    training = frame([1, 2] * 50, [3, 4] * 50)
    codec = TableCodec().fit(training, ruled)
    sizes: list[int] = []

    def drawn(codes: IntArray, random: np.random.Generator, guide: Guide) -> IntArray:
        sizes.append(len(codes))
        return codec.encode(training.iloc[: len(codes)].reset_index(drop=True))

    request = Request(250, None, 5)
    sample_frame(codec, ruled, request, lambda codes, _: codes, Guidance(drawn))
    assert sizes == [100, 100, 50]


def test_rows_in_which_an_equation_leads_beyond_what_was_learned_are_drawn_again() -> None:
    less = Sum(terms=(Term(column="high"), Term(column="low", sign=-1)), total="less")
    columns = tuple(Column(name=name, **_WHOLE) for name in ("low", "high", "less"))
    asked_for = Table(
        name="t", columns=columns, source=Source(format="csv", path="t.csv"), row_rules=(less,)
    )

    def rows_of(low: list[int], high: list[int]) -> pd.DataFrame:
        both = np.array(low), np.array(high)
        arrow = pa.table({"low": both[0], "high": both[1], "less": both[1] - both[0]})
        return to_frame(arrow.cast(arrow_schema(asked_for)))

    codec = TableCodec().fit(rows_of([1, 2, 3] * 40, [4, 6, 8] * 40), asked_for)
    for given, again in ((frozenset[str](), [1]), (frozenset({"less"}), [])):
        asked, redraw = counted(lambda rows: rows_of([1] * rows, [5] * rows))
        keeping = Kept(asked_for, codec, given, lambda rows: np.zeros(len(rows), dtype=np.bool_))
        # Both sides are fine; what lies between them never was 1.
        drawn = keep_rules(rows_of([1, 3], [6, 4]), keeping, redraw)
        assert asked == again
        assert drawn["less"].tolist() == ([5, 4] if again else [5, 1])


def test_a_column_may_be_named_self() -> None:
    """Rows that break a rule are drawn again, keys hashed, and the last rows mended."""
    columns = (Column(name="self", **_WHOLE), Column(name="high", **_WHOLE))
    rule = Comparison(left="self", operator="<=", right="high")
    named = table(rule).model_copy(update={"columns": columns})
    rows = frame([9, 1] * 40, [3, 2] * 40).rename(columns={"low": "self"})
    codec = TableCodec().fit(rows, named)
    keeping = Kept(named, codec, frozenset(), lambda rows: np.zeros(len(rows), dtype=np.bool_))
    mended = keep_rules(rows, keeping, lambda places: rows.iloc[places].reset_index(drop=True))
    assert (mended["self"] <= mended["high"]).all()
    texts = pd.DataFrame({"self": pd.Categorical(["a", "b", "a"])})
    keys = EarlierKeys(named)
    keys.hashes = {("self",): []}
    keys.add(texts)
    assert keys.hold(texts, ("self",)).all()


def test_keys_of_many_batches_are_held_once_and_seldom_sorted_again() -> None:
    keyed = table(unique_together=(("low", "high"),))
    keys, rows = EarlierKeys(keyed), frame(list(range(900)), list(range(900)))
    for start in range(0, 900, 10):
        keys.add(rows[max(0, start - 10) : start + 10])
    keys.add(rows)
    (runs,) = keys.hashes.values()
    sizes = [len(run) for run in runs]
    assert sum(sizes) == 900
    assert all(one >= 2 * other for one, other in itertools.pairwise(sizes))
    assert keys.hold(rows, ("low", "high")).all()
    assert not keys.hold(rows.assign(low=rows["low"] + 1), ("low", "high")).any()


def shares(whole: float = 100.0) -> tuple[Table, pd.DataFrame]:
    """Two shares, in hundredths, of a whole that is always the same."""
    names = ("one", "other", "whole")
    number = {"logical_type": "number", "physical_type": "float64"}
    columns = tuple(Column(name=name, **number) for name in names)
    rule = Sum(terms=(Term(column="one"), Term(column="other")), total="whole")
    told = Table(name="s", columns=columns, source=Source(format="csv", path="s.csv"),
                 row_rules=(rule,))  # fmt: skip
    one = np.round(np.random.default_rng(0).uniform(0, 100, 200), 2)
    values = {"one": one, "other": np.round(100 - one, 2), "whole": np.full(200, whole)}
    return told, to_frame(pa.table(values).cast(arrow_schema(told)))


def test_a_column_of_one_value_is_not_mended_and_others_stay_on_their_steps() -> None:
    told, frame = shares()
    broken = frame.assign(other=frame["other"].to_numpy()[::-1])

    def unlike(rows: IntArray) -> pd.DataFrame:
        return broken.iloc[rows].reset_index(drop=True)

    codec = TableCodec().fit(frame, told)
    none = Kept(told, codec, frozenset(), lambda rows: np.zeros(len(rows), dtype=np.bool_))
    rows = keep_rules(broken, none, unlike)
    assert (rows["whole"] == 100).all()
    assert rows["one"].tolist() == [round(one, 2) for one in rows["one"]]
    # What is given lies off the steps, and the rule comes first.
    given = broken.assign(other=33.333)
    rows = keep_rules(given, replace(none, given=frozenset({"other"})), lambda rows: given)
    assert rows["one"].tolist() == pytest.approx([66.667] * len(rows), abs=1e-9)


def test_a_limit_that_is_always_the_same_is_not_moved() -> None:
    told, frame = shares()
    limited = told.model_copy(
        update={"row_rules": (Comparison(left="whole", operator=">=", right="one"),)}
    )
    codec = TableCodec().fit(frame, limited)
    kept = Kept(limited, codec, frozenset(), lambda rows: np.zeros(len(rows), dtype=np.bool_))
    above = frame.assign(one=120.0)
    rows = keep_rules(above, kept, lambda rows: above.iloc[rows].reset_index(drop=True))
    assert (rows["whole"] == 100).all() and (rows["one"] == 100).all()
