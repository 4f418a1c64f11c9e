"""Presence on a condition while rows are drawn: what does not go together is never drawn."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.contract import Column, RequiredWhen, Source, Table
from data_contracts.row_rules import parse_rule
from data_contracts.schema import arrow_schema, arrow_type, to_frame
from models.encoding.column import UNKNOWN
from models.encoding.table import TableCodec
from models.generators.exclusions import Exclusions, exclusions_of, written_exclusions
from models.generators.guide import Guide
from models.generators.states import Never

_TEXT = {"logical_type": "string", "physical_type": "string"}


def table(*texts: str) -> Table:
    rules = tuple(rule for text in texts if (rule := parse_rule(text, None)) is not None)
    assert len(rules) == len(texts)
    return Table(
        name="orders",
        columns=(
            Column.model_validate({"name": "state", **_TEXT}),
            Column.model_validate({"name": "reason", **_TEXT}),
            Column(name="paid", logical_type="integer", physical_type="int64"),
        ),
        source=Source(format="csv", path="orders.csv"),
        row_rules=rules,
    )


def codec(declared: Table) -> TableCodec:
    """States sent, lost and missing; reasons or none; 0, 5 or nothing paid."""
    rows = {
        "state": ["lost", "sent", None, "sent"] * 20,
        "reason": ["rain", None, "rain", "snow"] * 20,
        "paid": [0, 5, None, 5] * 20,
    }
    frame = to_frame(pa.table(rows, schema=arrow_schema(declared)))
    return TableCodec().fit(frame, declared)


@pytest.mark.parametrize(
    ("text", "state", "left"),
    [
        # First codes of `reason`: missing, rain, snow; of `state`: missing, lost, sent.
        ("reason present when state == 'lost'", "lost", [False, True, True]),
        ("reason present when state == 'lost'", "sent", [True, True, True]),
        ("reason present when state == 'lost' else missing", "sent", [True, False, False]),
        ("reason present when state == 'lost' else missing", None, [True, False, False]),
        ("reason missing when state in ('sent', 'gone')", "sent", [True, False, False]),
        ("reason present when state present", "sent", [False, True, True]),
        ("reason present when state present else missing", None, [True, False, False]),
        ("reason missing when paid == 0", None, [True, True, True]),
    ],
)
def test_a_condition_leaves_what_it_says(text: str, state: str | None, left: list[bool]) -> None:
    declared = table(text)
    known = codec(declared)
    kept = Exclusions(written_exclusions(known, declared), 1)
    code = 0 if state is None else int(known.first_codes("state", [state])[0])
    kept.observe("state", np.array([code]))
    allowed = kept.allowed("reason")
    assert (left if allowed is None else allowed[0].tolist()) == left


@pytest.mark.parametrize(
    ("physical", "listed", "met"),
    [
        ("decimal128(12, 2)", "== 0.1", [0.1]),
        ("decimal128(12, 2)", "in (0.1, 2, 0.101)", [0.1, 2]),
        ("int8", "in (2, 300)", [2]),
        ("int64", "in (2, 2.5)", [2]),
        ("int64", "== 2.5", []),
        ("float32", "in (0.1, 2)", [0.1, 2]),
    ],
)
def test_listed_numbers_are_those_that_the_column_holds(
    physical: str, listed: str, met: list[float]
) -> None:
    logical = "integer" if "int" in physical else "number"
    rate = Column.model_validate(
        {"name": "rate", "logical_type": logical, "physical_type": physical}
    )
    rule = parse_rule(f"why present when rate {listed} else missing", None)
    assert isinstance(rule, RequiredWhen)
    declared = Table(
        name="loans",
        columns=(rate, Column.model_validate({"name": "why", **_TEXT})),
        source=Source(format="csv", path="loans.csv"),
        row_rules=(rule,),
    )
    values = [one for one in (0.1, 0.25, 2, 3) if logical == "number" or one >= 1] * 20
    typed = pa.array([Decimal(str(one)) for one in values]).cast(pa.decimal128(12, 2))
    reasons = [("old" if place % 2 else "new") if one in met else None
               for place, one in enumerate(values)]  # fmt: skip
    reasons = [*reasons, *["old", "new"] * 10]
    rows = {
        "rate": pa.concat_arrays([typed, pa.nulls(20, typed.type)]).cast(arrow_type(physical)),
        "why": pa.array(reasons),
    }
    frame = to_frame(pa.table(rows).cast(arrow_schema(declared)))
    known = TableCodec().fit(frame, declared)
    kept = Exclusions(written_exclusions(known, declared), len(frame))
    kept.observe("rate", known.first_of(frame, ("rate",))[:, 0])
    allowed = kept.allowed("why")
    assert allowed is not None
    missing = [one not in met for one in values] + [True] * 20
    assert allowed[:, 0].tolist() == missing
    assert (~allowed[:, 1]).tolist() == missing


def test_it_works_both_ways_and_what_is_unknown_forbids_nothing() -> None:
    declared = table("reason missing when paid == 0")
    known = codec(declared)
    kept = Exclusions(written_exclusions(known, declared), 3)
    kept.observe("reason", np.array([0, 1, UNKNOWN]))
    allowed = kept.allowed("paid")
    assert allowed is not None
    # Of `paid`: missing, 0, 5.
    assert allowed.tolist() == [[True, True, True], [True, False, True], [True, True, True]]
    kept.taken(np.array([1, 1]))
    again = kept.allowed("paid")
    assert again is not None
    assert again[:, 1].tolist() == [False, False]


def test_states_are_told_from_first_codes() -> None:
    known = codec(table())
    nevers = [Never("paid", "zero", "state", "other"), Never("paid", "other", "reason", "missing")]
    kept = Exclusions(exclusions_of(known, nevers), 2)
    kept.observe("state", np.array([0, 2]))
    kept.observe("reason", np.array([1, 0]))
    allowed = kept.allowed("paid")
    assert allowed is not None
    assert allowed.tolist() == [[True, True, True], [True, False, False]]


def test_a_guide_follows_the_columns_of_conditions() -> None:
    declared = table("reason present when state == 'lost' else missing")
    guide = Guide(codec(declared), declared, 2)
    assert not guide.idle
    assert guide.followed == {"state", "reason"}
    guide.observe(0, np.array([1, 2]))
    weights = guide.weights(1)
    assert weights is not None
    assert weights.tolist() == [[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]
    assert isinstance(declared.row_rules[0], RequiredWhen)
