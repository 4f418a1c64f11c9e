"""Hypothesis strategies for contracts that make sense, with names and values as odd as can be."""

from typing import Any

from hypothesis import strategies as st

from data_contracts.choice import ModelChoice
from data_contracts.contract import (
    Bars,
    Column,
    Comparison,
    Contract,
    ForeignKey,
    Freshness,
    Holdout,
    RequiredWhen,
    Sampling,
    Scalar,
    Source,
    Sum,
    Table,
    Term,
    WrittenRule,
)

ODD = st.sampled_from([
    "yes", "null", "~", "1e5", "2024-01-31", "0x1F", "a: b", "# no comment", "'", '"', "- x", " x ",
    "a\nb", "\t", "&a", "*a", "!!str", "{}", "é", "日本", "=", "<<", "None", "1_000", "0o17",
    "\x00", "\x85", "\u2028", "\ufeff",
])  # fmt: skip
TEXT = ODD | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORDS = TEXT.filter(bool)
IDS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,10}\Z").filter(
    lambda word: word.lower() not in ("holdout", "rejects")
)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
ROLES = st.sampled_from(["attribute", "quasi_identifier", "sensitive"])
TIMES = ("2000-01-01", "2024-02-29T12:30:00", "1999-12-31T00:00:00Z")
FORMS = st.none() | st.sampled_from(["%Y-%m-%d", "%d/%m/%Y %H:%M:%S", "%Y%j", "%m.%y"])
ZONES = st.sampled_from(["UTC", "Europe/Vienna", "+02:00"])


def _bounds(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    ordered = st.lists(values, min_size=2, max_size=2).map(sorted)
    return st.one_of(
        st.just({}),
        values.map(lambda low: {"minimum": low}),
        ordered.map(lambda both: {"minimum": both[0], "maximum": both[1]}),
    )


@st.composite
def typed_parts(draw: st.DrawFn) -> dict[str, Any]:
    """A logical and physical type with promises that go with it."""
    logical = draw(st.sampled_from(["integer", "number", "boolean", "string", "date", "timestamp"]))
    if logical == "integer":
        physical = draw(st.sampled_from(["int64", "int8", "uint32"]))
        listed = st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)
        extra = draw(_bounds(st.integers(-(2**53), 2**53)) | st.fixed_dictionaries({
            "categories": listed, "ordered": st.booleans(),
        }))  # fmt: skip
    elif logical == "number":
        physical = draw(st.sampled_from(["float64", "float32", "decimal128(12, 2)"]))
        extra = {**draw(_bounds(NUMBERS)), "tolerance": draw(st.none() | st.just(0.5))}
    elif logical == "boolean":
        physical, extra = "bool", {}
    elif logical == "string":
        physical = draw(st.sampled_from(["string", "large_string", "dictionary<string>"]))
        listed = st.lists(TEXT, min_size=1, max_size=4, unique=True)
        extra = draw(st.one_of(
            st.just({}),
            st.fixed_dictionaries({"categories": listed, "ordered": st.booleans()}),
            st.fixed_dictionaries({"pattern": st.just(r"^[A-Z]{2}\d+$"), "format": WORDS}),
            st.fixed_dictionaries({
                "role": st.just("identifier"), "confirm": st.booleans(),
                "identifier_kind": st.sampled_from(["key", "email", "free_text"]),
            }),
        ))  # fmt: skip
    elif logical == "date":
        physical = "date32"
        extra = {"format": draw(FORMS), **draw(_bounds(st.sampled_from(TIMES[:1])))}
    else:
        zone = draw(st.none() | ZONES)
        physical = f"timestamp[us, tz={zone}]" if zone else "timestamp[ms]"
        times = _bounds(st.sampled_from(TIMES))
        extra = {"format": draw(FORMS), "timezone": draw(st.none() | ZONES), **draw(times)}
        if "maximum" in extra and extra["minimum"] > extra["maximum"]:
            del extra["maximum"]
    return {"logical_type": logical, "physical_type": physical, **extra}


@st.composite
def columns(draw: st.DrawFn, name: str) -> Column:
    """One column called `name`."""
    parts = {"role": draw(ROLES), **draw(typed_parts())}
    return Column.model_validate(
        {
            "name": name,
            "required": draw(st.booleans()),
            "unique": draw(st.booleans()),
            "primary_key": draw(st.booleans()),
            "null_words": draw(st.none() | st.lists(TEXT, max_size=2)),
            "description": draw(st.none() | TEXT),
            **parts,
        }
    )


@st.composite
def sources(draw: st.DrawFn) -> Source:
    """A source of any format."""
    kind = draw(st.sampled_from(["csv", "parquet", "jsonl", "sql"]))
    if kind == "sql":
        where = draw(st.sampled_from([{"url_env": "DATABASE"}, {"url": "sqlite:///a.db"}]))
        what = draw(st.sampled_from(["table", "query"]))
        return Source.model_validate({"format": kind, **where, what: draw(WORDS)})
    path = draw(WORDS.filter(lambda text: "\0" not in text))
    return Source(
        format=kind,
        path=path,
        delimiter=draw(st.sampled_from([",", ";", "\t", "|"])),
        encoding=draw(st.sampled_from(["utf-8", "latin-1", "cp1252"])),
        null_words=tuple(draw(st.lists(TEXT, max_size=2))),
        header=draw(st.booleans()),
    )


def made_up(column: Column) -> bool:
    """Whether its values may be made up, so that rules cannot be about them."""
    return column.role == "identifier" or column.unique or column.primary_key


def values_of(column: Column) -> st.SearchStrategy[list[Scalar]] | None:
    """Lists of values that a rule may name of the column, if it may name any."""
    if made_up(column) or column.logical_type in ("date", "timestamp"):
        return None
    of_type: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(), "integer": st.integers(), "number": NUMBERS, "string": TEXT,
    }  # fmt: skip
    one = st.sampled_from(column.categories) if column.categories else of_type[column.logical_type]
    return st.lists(one, min_size=1, max_size=3, unique=True)


@st.composite
def presences(draw: st.DrawFn, column: Column, when: Column) -> RequiredWhen | None:
    """A rule about the presence of a column that may be missing, if there can be one."""
    listed = values_of(when)
    values = draw(listed) if listed is not None and draw(st.booleans()) else None
    if values is None and (when.required or when.primary_key):
        return None
    return RequiredWhen(
        column=column.name,
        missing=draw(st.booleans()),
        when=when.name,
        values=None if values is None else tuple(values),
        otherwise=draw(st.booleans()),
        name=draw(st.none() | st.just("presence")),
    )


@st.composite
def together(draw: st.DrawFn, made: list[Column]) -> dict[str, Any]:
    """Three more columns, and rules that join them with each other and with those made before."""
    taken = [column.name for column in made]
    fresh = WORDS.filter(lambda name: name not in taken)
    names = draw(st.lists(fresh, min_size=3, max_size=3, unique=True))
    physical = {"integer": "int32", "number": "decimal128(9, 2)"}
    kinds = [draw(st.sampled_from(sorted(physical))) for _ in names]
    extra = tuple(
        Column(name=name, logical_type=kind, physical_type=physical[kind])
        for name, kind in zip(names, kinds, strict=True)
    )
    signs = st.sampled_from([1, -1])
    terms = tuple(Term(column=name, sign=draw(signs)) for name in names[:2])
    sum_of = {
        "terms": terms,
        "operator": draw(st.sampled_from(["<=", "==", ">="])),
        "total": draw(st.sampled_from([names[2], 0, 2.5])),
        "name": draw(st.none() | TEXT),
    }
    rules: list[WrittenRule] = [Sum.model_validate(sum_of)]
    presence = draw(presences(extra[0], draw(st.sampled_from(made))))
    rules += [] if presence is None else [presence]
    return {
        "columns": (*made, *extra),
        "row_rules": tuple(rules),
        "fixed_combinations": draw(st.sampled_from([(), (tuple(names[:2]), tuple(names[1:]))])),
        "unique_together": draw(st.sampled_from([(), ((names[0], taken[0], names[2]),)])),
    }


@st.composite
def tables(draw: st.DrawFn, name: str) -> Table:
    """One table called `name`, with what its columns allow for."""
    names = draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    made = [draw(columns(each)) for each in names]
    times = [column.name for column in made if column.logical_type in ("date", "timestamp")]
    numbers = [column.name for column in made if column.logical_type in ("integer", "number")]
    values: dict[str, Any] = {"unit": draw(st.none() | st.sampled_from(names))}
    if times and draw(st.booleans()):
        cadence = draw(st.none() | st.sampled_from(["h", "7D", "MS"]))
        values |= {"kind": "series", "time": times[0], "cadence": cadence}
        values["freshness"] = Freshness(column=times[0], max_age_hours=draw(st.floats(0.5, 1e4)))
    if draw(st.booleans()):
        values |= draw(together(made))
    if numbers:
        plain = [column.name for column in made if not made_up(column) and column.name in numbers]
        joined = numbers[0] in plain
        right = draw(st.sampled_from(plain) | NUMBERS) if joined else draw(NUMBERS)
        operator = draw(st.sampled_from(["<", "<=", "==", "!=", ">=", ">"]))
        named = draw(st.none() | TEXT)
        rule = Comparison(left=numbers[0], operator=operator, right=right, name=named)
        others = values.get("row_rules", ())
        told = [each.name or each.text for each in others]
        values["row_rules"] = (*others, rule) if (rule.name or rule.text) not in told else others
    return Table(
        name=name,
        columns=values.pop("columns", tuple(made)),
        source=draw(sources()),
        min_rows=draw(st.none() | st.integers(0, 5)),
        max_rows=draw(st.none() | st.integers(5, 9)),
        reject_tolerance=draw(st.floats(0, 1)),
        description=draw(st.none() | TEXT),
        **values,
    )


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """A contract without contradictions."""
    made = [draw(tables(name)) for name in draw(st.lists(IDS, min_size=1, max_size=2, unique=True))]
    if len(made) == 2:
        ends = made[1].columns[0], made[0].columns[0]
        if ends[0].physical_type == ends[1].physical_type:
            key = ForeignKey(
                columns=(ends[0].name,), parent=made[0].name, parent_columns=(ends[1].name,)
            )
            made[1] = made[1].model_copy(update={"foreign_keys": (key,)})
    held = {made[0].name: draw(sources())} if draw(st.booleans()) else {}
    options = draw(st.dictionaries(WORDS, st.integers() | TEXT | st.booleans(), max_size=2))
    return Contract(
        id=draw(IDS),
        version=draw(WORDS),
        name=draw(st.none() | TEXT),
        status=draw(WORDS),
        description=draw(st.none() | TEXT),
        tables=tuple(_with_one_target(table) for table in made),
        holdout=Holdout(share=draw(st.floats(0.01, 0.99)), sources=held),
        generator=ModelChoice(name=draw(WORDS), options=options),
        sampling=Sampling(
            rows=draw(st.none() | st.integers(1, 10**9)), seed=draw(st.integers(0, 9))
        ),
        bars=Bars(utility_gap=draw(st.floats(0, 1))),
    )


def _with_one_target(table: Table) -> Table:
    for index, column in enumerate(table.columns):
        if column.role != "identifier":
            target = column.model_copy(update={"role": "target"})
            made = (*table.columns[:index], target, *table.columns[index + 1 :])
            return table.model_copy(update={"columns": made})
    return table
