"""What a draft promises is what the data hold, and what it guesses it says."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import column_profile
from data_contracts.column_inference import outward
from data_contracts.contract import Column, Source, Table
from data_contracts.errors import ContractError, SourceError
from data_contracts.inference import Draft, TableProfile, draft_contract
from data_contracts.typing_rules import type_column

CSV = Source(format="csv", path="data.csv")
PARQUET = Source(format="parquet", path="data.parquet")


def profile_of(
    columns: dict[str, Any], name: str = "rows", parts: int = 1, source: Source = CSV
) -> TableProfile:
    """A profile of text columns (typed ones for Parquet), read in several parts."""
    arrays = {
        key: values if isinstance(values, pa.Array) else pa.array(list(values), pa.string())
        for key, values in columns.items()
    }
    table = pa.table(arrays)
    profile = TableProfile(name, source)
    size = -(-table.num_rows // parts)
    for start in range(0, table.num_rows, size):
        profile.update(table.slice(start, size))
    return profile


def draft_of(columns: dict[str, Any], **how: Any) -> Table:
    return draft_contract([profile_of(columns, **how)], "test").contract.tables[0]


def column_of(values: Any, name: str = "x", **how: Any) -> Column:
    return draft_of({name: values}, **how).column(name)


def texts(values: Any) -> list[str]:
    return [str(value) for value in values]


@pytest.mark.parametrize(
    ("values", "physical", "format"),
    [
        (["1", "-2", " 3"], "int64", None),
        (["1", "2.5", "1e3"], "float64", None),
        (["32.0", "27.0"], "float64", None),
        (["true", "False", "TRUE"], "bool", None),
        (["0", "1", "1"], "int64", None),
        (["2024-01-31", "1999-12-01"], "date32", None),
        (["2024-01-31 10:00", "2024-01-31T10:00:01.5"], "timestamp[us]", None),
        (["2024-01-31 10:00:00.000000001", "2024-01-31"], "timestamp[ns]", None),
        (["2024-01-31T10:00:00Z", "2024-01-31 10:00+02:00"], "timestamp[us, tz=UTC]", None),
        (["31.01.2024", "01.02.2024"], "date32", "%d.%m.%Y"),
        (["01/31/2024", "02/01/2024"], "date32", "%m/%d/%Y"),
        (["31/01/2024 10:30", "01/02/2024 09:00"], "timestamp[us]", "%d/%m/%Y %H:%M"),
        # What would lose something as a number stays text.
        (["007", "123"], "string", None),
        (["+436601234567", "+436607654321"], "string", None),
        (["12345678901234567890", "1"], "string", None),
        (["1", "one"], "string", None),
        (["2024-02-30", "2024-01-01"], "string", None),
        (["", "NA"], "string", None),
        (["1", "2024-01-01"], "string", None),
    ],
)
@pytest.mark.parametrize("parts", [1, 2])
def test_text_gets_the_narrowest_type_that_loses_nothing(
    values: list[str], physical: str, format: str | None, parts: int
) -> None:
    column = column_of(values, parts=parts)
    assert (column.physical_type, column.format) == (physical, format)


def test_a_date_that_reads_two_ways_is_asked_about() -> None:
    profile = profile_of({"when": ["01/02/2024", "03/04/2024"]})
    draft = draft_contract([profile], "test")
    assert draft.contract.tables[0].column("when").confirm
    (question,) = [remark.text for remark in draft.remarks if remark.question]
    assert "%d/%m/%Y" in question
    assert "%m/%d/%Y" in question


@pytest.mark.parametrize(
    ("written", "physical", "format"),
    [
        ("5-Jan-2020", "date32", "%d-%b-%Y"),
        ("January 5, 2020", "date32", "%B %d, %Y"),
        ("Jan 5 2020", "date32", "%b %d %Y"),
        ("5 January 2020", "date32", "%d %B %Y"),
        ("01/25/2020 02:05:06 PM", "timestamp[us]", "%m/%d/%Y %I:%M:%S %p"),
        ("2020-01-05 2:05 pm", "timestamp[us]", "%Y-%m-%d %I:%M %p"),
    ],
)
def test_dates_are_read_however_they_are_written(written: str, physical: str, format: str) -> None:
    column = column_of([written] * 30)
    assert (column.physical_type, column.format, column.confirm) == (physical, format, False)
    mixed = [*[written] * 30, "some day"]
    assert column_of(mixed).logical_type == "string"


def test_years_of_two_digits_are_asked_about() -> None:
    draft = draft_contract([profile_of({"on": ["01/25/68", "02/26/69"] * 20})], "test")
    column = draft.contract.tables[0].column("on")
    assert (column.physical_type, column.format, column.confirm) == ("date32", "%m/%d/%y", True)
    assert "1969 to 2068" in draft.remarks[0].text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["$1,234.50", "$7.25", "-$3"], True),
        (["45.3%", "7%"], True),
        (["1'000", "25"], True),
        (["(12.50)", "7.00"], True),
        (["1,234 €", "12"], True),
        (["48.123,16.456", "48.2,16.4"], False),
        (["1,2", "3,4"], False),
        (["A1", "B2"], False),
    ],
)
def test_numbers_with_signs_are_told(values: list[str], told: bool) -> None:
    draft = draft_contract([profile_of({"x": values * 10})], "test")
    assert any("take these out in the source" in remark.text for remark in draft.remarks) == told


def test_missing_values_decide_what_is_required() -> None:
    table = draft_of({"full": ["1", "2", "2"], "gaps": ["1", "NA", "2"], "odd": ["1", "?", "2"]})
    assert [column.required for column in table.columns] == [True, False, False]
    assert table.column("odd").physical_type == "int64"
    assert table.column("odd").null_words == (*CSV.null_words, "?")
    assert table.column("full").null_words is None


def test_categories_are_listed_only_where_each_stands_in_several_rows() -> None:
    table = draft_of({
        "few": ["b", "a"] * 10,
        "rare": ["a"] * 19 + ["z"],
        "many": texts(number % 7 for number in range(20)),
        "flag": ["0", "1"] * 10,
    })  # fmt: skip
    assert table.column("few").categories == ("a", "b")
    assert table.column("rare").categories is None
    assert table.column("flag").categories == (0, 1)
    assert (table.column("many").categories, table.column("many").maximum) == (None, 7)


def test_no_remark_names_a_rare_text() -> None:
    draft = draft_contract([profile_of({"x": ["a"] * 19 + ["Jane Doe"]})], "test")
    assert "Jane" not in json.dumps(draft.notes) + draft.contract.model_dump_json()


@pytest.mark.parametrize("header", ["name", "Kunde", "Betreuerin", "x"])
def test_no_draft_lists_the_names_of_people(header: str) -> None:
    columns = {header: ["Anna Gruber", "Max Huber", "Eva Maier"] * 20, "n": ["1", "2"] * 30}
    draft = draft_contract([profile_of(columns)], "test")
    column = draft.contract.tables[0].column(header)
    assert (column.role, column.identifier_kind, column.confirm) == ("identifier", "name", True)
    assert "Gruber" not in json.dumps(draft.notes) + draft.contract.model_dump_json()


def test_what_the_header_calls_a_thing_keeps_its_list() -> None:
    column = column_of(["Costa Rica", "Sri Lanka"] * 10, "country_name")
    assert (column.role, column.categories) == ("attribute", ("Costa Rica", "Sri Lanka"))


@pytest.mark.parametrize("header", ["Geburtsdatum", "geboren", "birth date", "Date de naissance"])
@pytest.mark.parametrize("form", ["19{:02d}-05-17", "17. 5. 19{:02d}"])
def test_a_birth_date_is_a_quasi_identifier(header: str, form: str) -> None:
    column = column_of([form.format(number) for number in range(20, 60)], header)
    assert (column.role, column.identifier_kind) == ("quasi_identifier", None)


@pytest.mark.parametrize(
    ("low", "high", "bounds"),
    [
        (17, 90, (10, 100)),
        (0, 99, (0, 100)),
        (0, 100, (0, 100)),
        (0.0, 1.0, (0, 1)),
        (-5, 5, (-10, 10)),
        (20, 80, (10, 90)),
        (5, 5, (4, 6)),
        (0, 0, (0, 1)),
        (-3.2, -0.1, (-4, 0)),
        (313.0, 373.9, (310, 380)),
        (0.1, 0.25, (0, 0.3)),
        (1657533341000, 1657619412000, (1657530000000, 1657620000000)),
        (Decimal("10.50"), Decimal("99.95"), (10, 100)),
    ],
)
def test_ranges_are_rounded_outward(low: Any, high: Any, bounds: tuple[float, float]) -> None:
    assert outward(low, high) == bounds


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(NUMBERS, NUMBERS)
def test_a_range_always_holds_its_data(first: float, second: float) -> None:
    low, high = min(first, second), max(first, second)
    bounds = outward(low, high)
    if bounds is None:
        return
    assert bounds[0] <= low <= high <= bounds[1]
    assert low < 0 or bounds[0] >= 0
    natural = (0, 1, 100)
    assert bounds[0] != low or low in natural
    assert bounds[1] != high or high in natural


def test_ranges_stay_inside_the_type() -> None:
    column = column_of(pa.array([-120, 127], pa.int8()), source=PARQUET)
    assert (column.minimum, column.maximum) == (-128, 127)


def test_times_promise_a_beginning_only() -> None:
    column = column_of(["1987-06-05", "2024-01-01", "2024-01-01"])
    assert (column.minimum, column.maximum) == ("1980-01-01", None)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(["1", "2.5", "", "NA", "?", "x", "true", "2024-01-31", "31.12.2023", "007",
                         "2024-01-31T10:00Z", "1e400", " 7 ", "-", "inf", "12:30", "é"])
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 3),
)  # fmt: skip
def test_every_text_column_keeps_its_own_draft(values: list[str], parts: int) -> None:
    column = column_of(values, parts=parts)
    typed = type_column(pa.array(values, pa.string()), column, CSV)
    assert not typed.broken
    if column.categories is not None:
        assert set(typed.array.drop_null().to_pylist()) <= set(column.categories)
    if column.minimum is not None and column.logical_type in ("integer", "number"):
        found = typed.array.drop_null().to_pylist()
        assert all(column.minimum <= value <= column.maximum for value in found)


def test_parquet_types_are_kept_exactly() -> None:
    table = draft_of(
        {
            "small": pa.array([1, 2, None], pa.int16()),
            "money": pa.array([Decimal("1.50"), Decimal("2.25"), None], pa.decimal128(12, 2)),
            "when": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("ns", "UTC")),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
            "half": pa.array(np.array([1, 2, 3], np.float16)),
            "text": pa.array(["1", "2", "3"]),
            "none": pa.nulls(3),
            "nan": pa.array([1.0, float("nan"), 2.0]),
        },
        source=PARQUET,
    )
    assert [column.physical_type for column in table.columns] == [
        "int16", "decimal128(12, 2)", "timestamp[ns, tz=UTC]", "dictionary<string>", "float32",
        "string", "string", "float64",
    ]  # fmt: skip
    assert not table.column("nan").required


def _sizes(*levels: str, words: Sequence[str], ordered: bool = True) -> pa.DictionaryArray:
    places = pa.array([levels.index(word) for word in words], pa.int8())
    return pa.DictionaryArray.from_arrays(places, pa.array(levels), ordered=ordered)


def test_an_ordered_dictionary_keeps_its_order_and_levels_without_rows() -> None:
    sizes = _sizes("small", "middle", "large", "huge", words=["large", "small", "middle"] * 10)
    column = draft_of({"size": sizes}, source=PARQUET).column("size")
    assert column.physical_type == "dictionary<string>"
    assert column.ordered
    assert column.categories == ("small", "middle", "large", "huge")
    plain = _sizes("small", "middle", words=["small", "middle"] * 10, ordered=False)
    column = draft_of({"size": plain}, source=PARQUET).column("size")
    assert not column.ordered
    assert column.categories == ("middle", "small")


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (_sizes("low", "mid", "high", words=["high"] * 10), ("low", "mid", "high")),
        (_sizes("low", "high", words=["high"] * 10), ("low", "high")),
        (_sizes("high", "low", words=["high"] * 10), None),
        (_sizes("low", "high", words=["high"] * 10, ordered=False), None),
    ],
)
def test_parts_of_a_source_must_agree_on_an_order(
    second: pa.Array, expected: tuple[str, ...] | None
) -> None:
    profile = profile_of({"x": _sizes("low", "high", words=["low"] * 10)}, source=PARQUET)
    profile.update(pa.RecordBatch.from_arrays([second], names=["x"]))
    column = draft_contract([profile], "test").contract.tables[0].column("x")
    assert column.ordered == (expected is not None)
    assert column.categories == (expected or ("high", "low"))


def test_a_column_that_no_contract_can_carry_is_left_out_and_said() -> None:
    columns = {"list": pa.array([[1], [2]]), "x": pa.array([1, 2])}
    draft = draft_contract([profile_of(columns, source=PARQUET)], "test")
    assert draft.contract.tables[0].column_names == ("x",)
    assert any("leaves a column out" in note and "'list'" in note for note in draft.notes)
    with pytest.raises(SourceError, match="'list' is of Arrow type list"):
        draft_contract([profile_of(columns, source=PARQUET)], "test", target="list")


def test_keys_and_identifiers() -> None:
    count = 120
    draft = draft_contract([profile_of({
        "row": texts(range(1, count + 1)),
        "person_id": texts(1000 + 7 * n for n in range(count)),
        "email": [f"u{n}@example.org" for n in range(count)],
        "age": texts(20 + n % 50 for n in range(count)),
        "religion": ["a", "b"] * 60,
    }, name="people")], "test")  # fmt: skip
    table = draft.contract.tables[0]
    assert table.primary_key == ("person_id",)
    key = table.column("person_id")
    assert (key.role, key.identifier_kind, key.unique, key.required) == (
        "identifier", "key", True, True,
    )  # fmt: skip
    assert key.minimum is None
    assert table.column("row").role == "identifier"
    assert table.column("email").identifier_kind == "email"
    assert table.column("age").role == "quasi_identifier"
    assert table.column("religion").role == "sensitive"
    asked = {remark.column for remark in draft.remarks if remark.question}
    assert asked == {"row", "email"} == {c.name for c in table.columns if c.confirm}


def test_a_repeated_key_becomes_the_unit_of_privacy() -> None:
    columns = {
        "store_id": texts(n % 3 for n in range(300)),
        "customer_id": texts(n // 3 for n in range(300)),
    }
    table = draft_of(columns)
    assert table.unit == "customer_id"
    assert table.primary_key == ()
    assert table.column("store_id").role == "attribute"
    assert draft_of({"subject": ["s1", "s2"] * 50}).unit == "subject"
    for kinds in (["yes", "no"], ["0", "1"], ["gold", "basic", ""]):
        assert draft_of({"member": kinds * 50, "age": texts(range(50)) * len(kinds)}).unit is None


def test_a_column_of_people_that_is_no_unit_is_told_of() -> None:
    """Three patients may be three names: whoever knows has to say so."""
    draft = draft_contract([profile_of({"patient": ["Ann", "Bob", "Eve"] * 50})], "test")
    assert draft.contract.tables[0].unit is None
    assert any("does not take 'patient' as the unit" in note for note in draft.notes)


def test_grades_and_counts_of_people_are_no_unit() -> None:
    """Of five grades no model can be made, and as an identifier they would be lost."""
    graded = {"economic.cond.household": texts(n % 5 + 1 for n in range(300))}
    draft = draft_contract([profile_of(graded)], "test")
    assert draft.contract.tables[0].unit is None
    assert draft.contract.tables[0].column("economic.cond.household").role == "attribute"
    assert any("it has only 5 different values" in note for note in draft.notes)
    assert draft_of({"num_people": texts(n % 13 for n in range(300))}).unit is None
    named = {"head_of_household": texts(n % 60 for n in range(300))}
    assert draft_of(named).unit == "head_of_household"
    assert draft_of({"subject": texts(n % 5 for n in range(300))}).unit == "subject"


def test_a_place_is_no_unit_of_privacy() -> None:
    letters = "abcdefghijklmnopqrst"
    towns = [f"{one}{two}ville" for one in letters for two in letters]
    table = draft_of({"town": [*towns, *towns[:80]]})
    assert table.column("town").role == "identifier"
    assert table.unit is None
    coded = [f"N{number}A" for number in range(400)]
    assert draft_of({"animal": [*coded, *coded[:80]]}).unit == "animal"
    clocks = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(0, 1400, 3)]
    assert draft_of({"at": [*clocks, *clocks[:80]]}).unit is None


@pytest.mark.parametrize(
    ("numbers", "role"),
    [
        # Patients of whom some were left out; in any order.
        ([(7 * n) % 199 + 1 for n in range(150)], "identifier"),
        # As many different measures have large gaps between them, or repeat.
        ([(7 * n) % 4999 for n in range(150)], "attribute"),
        ([(7 * n) % 120 for n in range(150)], "attribute"),
        # Few rows show nothing: years, with some left out.
        ([1960 + n + n // 4 for n in range(40)], "attribute"),
    ],
)
def test_numbers_that_count_rows_are_identifiers(numbers: list[int], role: str) -> None:
    assert column_of(texts(numbers), name="n").role == role


def test_a_target_is_a_wish_and_must_exist() -> None:
    profile = profile_of({"age": ["1", "2"] * 30, "income": texts(n % 4 for n in range(60))})
    table = draft_contract([profile], "test", target="income").contract.tables[0]
    assert table.target is not None
    assert table.target.name == "income"
    assert table.target.categories == (0, 1, 2, 3)
    with pytest.raises(ContractError, match=r"no such column\. Did you mean 'income'"):
        draft_contract([profile], "test", target="incom")


def test_the_same_target_in_two_tables_must_be_told_apart() -> None:
    profiles = [profile_of({"x": ["1", "1"]}, name=name) for name in ("one", "two")]
    with pytest.raises(ContractError, match="several columns"):
        draft_contract(profiles, "test", target="x")
    tables = draft_contract(profiles, "test", target="two.x").contract.tables
    assert [table.target is not None for table in tables] == [False, True]


def days(count: int, step: int = 1) -> list[str]:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return [f"{start + timedelta(days=step * n):%Y-%m-%d}" for n in range(count)]


MONTHS = [f"{2020 + n // 12}-{n % 12 + 1:02d}-01" for n in range(40)]


@pytest.mark.parametrize(
    ("times", "cadence"),
    [
        (days(30, 7), "7D"),
        (days(30), "D"),
        ([day for n, day in enumerate(days(60)) if n % 9 != 4], "D"),
        ([day for n, day in enumerate(days(60)) if n % 7 < 5], "B"),
        (MONTHS, "MS"),
        ([f"2024-01-01T{n // 4:02d}:{n % 4 * 15:02d}:00" for n in range(50)], "15min"),
        (list(reversed(days(30))), "D"),
    ],
)
def test_a_column_of_steps_makes_a_series(times: list[str], cadence: str) -> None:
    table = draft_of({"when": times, "value": texts(range(len(times)))[::-1]})
    assert (table.kind, table.time, table.cadence) == ("series", "when", cadence)
    assert table.column("when").required


def test_weeks_are_the_key_of_their_series() -> None:
    table = draft_of({"week": days(30, 7), "value": texts(n % 5 for n in range(30))})
    assert table.primary_key == ("week",)
    assert table.column("week").unique


def test_a_repeated_hour_keeps_the_series_but_not_the_key() -> None:
    times = days(100)
    table = draft_of({"when": [*times[:50], times[49], *times[50:]], "v": ["1"] * 101})
    assert (table.kind, table.primary_key) == ("series", ())


def test_steps_within_each_entity_make_a_panel() -> None:
    columns = {
        "station": [name for name in ("a", "b", "c") for _ in range(20)],
        "day": days(20) * 3,
        "level": texts(n % 11 for n in range(60)),
    }
    table = draft_of(columns)
    assert (table.kind, table.entity, table.time) == ("panel", "station", "day")
    assert (table.unit, table.cadence) == ("station", "D")


def test_events_at_any_time_are_a_plain_table() -> None:
    random = np.random.default_rng(1)
    times = [f"2024-01-{1 + int(d):02d}" for d in random.integers(0, 28, 200)]
    assert draft_of({"when": times, "what": ["a", "b"] * 100}).kind == "table"


def related() -> Draft:
    people = profile_of(
        {"id": texts(range(100, 160)), "sex": ["f", "m"] * 30}, name="people", parts=2
    )
    visits = profile_of(
        {
            "visit_id": texts(range(5000, 5180)),
            "person_id": texts(100 + n // 3 for n in range(180)),
            "cost": texts(100 + n % 50 for n in range(180)),
        },
        name="visits",
    )
    return draft_contract([visits, people], "test")


def test_values_in_another_tables_key_make_a_child() -> None:
    visits, people = related().contract.tables
    assert visits.kind == "child"
    assert visits.foreign_keys[0].parent == "people"
    assert (people.unit, visits.unit) == ("id", "person_id")
    assert visits.column("person_id").role == "identifier"


def test_a_single_value_outside_the_key_is_no_reference() -> None:
    parent = profile_of({"person_id": texts(range(100, 160))}, name="people")
    child = profile_of({"person_id": texts(100 + n // 3 for n in range(181))}, name="visits")
    _, visits = draft_contract([parent, child], "test").contract.tables
    assert (visits.kind, visits.foreign_keys) == ("table", ())


def test_numbers_that_happen_to_be_keys_are_no_reference() -> None:
    visits, _ = related().contract.tables
    assert visits.column("cost").role == "attribute"


def test_a_look_up_is_no_unit_of_privacy() -> None:
    districts = profile_of({"district_id": texts(range(5))}, name="districts")
    clients = profile_of(
        {"client_id": texts(range(50, 250)), "district_id": texts(n % 5 for n in range(200))},
        name="clients",
    )
    orders = profile_of({"client_id": texts(50 + n % 200 for n in range(400))}, name="orders")
    contract = draft_contract([districts, clients, orders], "test").contract
    assert contract.table("clients").unit == "client_id"
    assert contract.table("clients").kind == "table"
    assert contract.table("clients").foreign_keys[0].parent == "districts"
    assert contract.table("orders").unit == "client_id"


def test_a_holdout_widens_the_promises_but_not_the_keys() -> None:
    train = profile_of({"id": texts(range(60)), "x": ["5", "6", "7"] * 20, "c": ["a", "b"] * 30})
    held = profile_of({"id": texts(range(60)), "x": [*["900"] * 59, ""], "c": ["a", "c"] * 30})
    train.widen(held)
    table = draft_contract([train], "test").contract.tables[0]
    assert table.primary_key == ("id",)
    assert table.column("c").categories == ("a", "b", "c")
    assert table.column("x").maximum >= 900  # type: ignore[operator]
    assert not table.column("x").required


def test_memory_is_bounded_and_doubt_promises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_profile, "MOST_DISTINCT", 1000)
    monkeypatch.setattr(column_profile, "HEAD_ROWS", 100)
    profile = TableProfile("rows", CSV)
    for start in range(0, 200_000, 20_000):
        ids = pa.array(texts(range(start, start + 20_000)))
        profile.update(pa.record_batch({"id": ids}))
    column = profile.columns["id"]
    assert column.distinct.overflowed
    assert len(column.distinct.hashes) == 0
    assert sum(map(len, column.codes)) == 100
    assert len(column.sample) <= 2_200
    draft = draft_contract([profile], "test")
    assert draft.contract.tables[0].primary_key == ()
    assert not draft.contract.tables[0].column("id").unique
    assert any("too many different values" in note for note in draft.notes)


def test_batches_that_disagree_are_refused() -> None:
    profile = TableProfile("rows", PARQUET)
    profile.update(pa.table({"a": [1]}))
    with pytest.raises(SourceError, match="same columns"):
        profile.update(pa.table({"b": [1]}))
    profile.update(pa.table({"a": [1.5]}))
    assert draft_contract([profile], "t").contract.tables[0].columns[0].physical_type == "float64"
    with pytest.raises(SourceError, match="in some rows"):
        profile.update(pa.table({"a": ["x"]}))


@pytest.mark.parametrize(
    ("names", "found"),
    [(["a", "a"], "'a' twice"), (["a", ""], "without a name"), ([], "no columns")],
)
def test_headers_must_name_each_column_once(names: list[str], found: str) -> None:
    batch = pa.Table.from_arrays([pa.array(["1"]) for _ in names], names=names)
    with pytest.raises(SourceError, match=found):
        TableProfile("rows", CSV).update(batch)


def test_a_table_without_rows_is_refused() -> None:
    profile = TableProfile("rows", CSV)
    profile.update(pa.table({"a": pa.array([], pa.string())}))
    with pytest.raises(SourceError, match="no rows"):
        draft_contract([profile], "test")
