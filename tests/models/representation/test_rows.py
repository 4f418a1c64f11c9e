"""Rows as attackers see them: which values have a class of their own, and which have no code."""

import numpy as np
import pandas as pd
import pytest

from data_contracts.contract import Source, Table
from data_contracts.errors import ModelError
from models.encoding.column import State
from models.representation.rows import MOST_CLASSES, RowReader
from tests.models.representation.people import TABLE, number, people, text

COUNTRIES = "abcdefghijklmnopqrstuvwz"
WIDE = Table(
    name="wide",
    columns=(number("size"), text("country", COUNTRIES)),
    source=Source(format="csv", path="wide.csv"),
)


def wide(rows: dict[str, int]) -> pd.DataFrame:
    """So many rows of each country, in the order of their names."""
    named = [name for name, count in rows.items() for _ in range(count)]
    countries = pd.Categorical(named, categories=list(COUNTRIES))
    return pd.DataFrame({"size": np.arange(len(named)) / 7, "country": countries})


LEARNED = wide({name: 10 + place for place, name in enumerate(COUNTRIES)} | {"z": 900})
FRESH = wide(dict.fromkeys(reversed(COUNTRIES), 3))


@pytest.fixture
def reader() -> RowReader:
    return RowReader().fit(LEARNED, WIDE, ())


def classes_of(reader: RowReader, frame: pd.DataFrame) -> dict[str, int]:
    """The class of each country, which is the same in all of its rows."""
    found = pd.Series(reader.classes(frame, "country")).groupby(frame["country"].astype(str))
    assert found.nunique().eq(1).all()
    return {str(name): int(one) for name, one in found.first().items()}


def test_the_commonest_value_has_a_class_of_its_own_wherever_the_alphabet_puts_it(
    reader: RowReader,
) -> None:
    classes = classes_of(reader, LEARNED)
    assert [name for name, one in classes.items() if one == classes["z"]] == ["z"]
    rarest = COUNTRIES[:-MOST_CLASSES]
    assert {classes[name] for name in rarest} == {MOST_CLASSES}
    own = [classes[name] for name in COUNTRIES if name not in rarest]
    assert sorted(own) == list(range(MOST_CLASSES))
    features = reader.features(LEARNED, ("country",))
    assert features.shape == (len(LEARNED), reader.most_classes)
    assert features[:, classes["z"]].sum() == 900


def test_classes_are_those_of_the_learned_rows_for_other_rows_and_once_stored(
    reader: RowReader,
) -> None:
    learned = classes_of(reader, LEARNED)
    assert classes_of(reader, FRESH) == learned
    again = RowReader.restore(WIDE, (), reader.state())
    assert classes_of(again, FRESH) == learned


def test_a_reader_that_was_stored_without_common_values_reads_codes_and_says_so(
    reader: RowReader,
) -> None:
    stored = reader.state()
    arrays = {name: one for name, one in stored.arrays.items() if not name.startswith("common/")}
    older = RowReader.restore(WIDE, (), State(stored.settings, arrays))
    assert np.array_equal(older.codes(FRESH), reader.codes(FRESH))
    with pytest.raises(ModelError, match=r"'country'.*older version. Fit it again"):
        older.classes(FRESH, "country")


def test_few_values_keep_the_order_of_their_codes() -> None:
    frame = people(300, seed=1)
    reader = RowReader().fit(frame, TABLE, ())
    codes = reader.codec_.first_of(frame, ("group",))[:, 0] + 1
    assert np.array_equal(reader.classes(frame, "group"), codes)


def test_a_value_that_one_unit_alone_holds_has_no_code() -> None:
    frame = people(400, seed=1)
    table = TABLE.model_copy(update={"unit": "id"})
    frame.loc[:19, "group"] = "a"
    frame.loc[20:, "group"] = ["b", "c"] * 190
    alone = frame.assign(id=np.maximum(frame["id"], frame["id"].iloc[19]))
    codes = [RowReader().fit(one, table, ()).classes(one, "group") for one in (frame, alone)]
    # 0 is the class of what is unknown.
    assert set(codes[0][:20]) == {1} and set(codes[1][:20]) == {0}
    assert 0 not in codes[1][20:]
