"""Whole releases: every type of column, every size of table, and what the report needs of them."""

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.contract import Contract
from data_contracts.dataset import Dataset
from data_contracts.report import Finding, judge
from data_contracts.schema import to_frame
from models.encoding.table import TableCodec
from models.evaluation.release import Evaluated, evaluate_release
from tests.models.evaluation.tables import contract_for, dataset, draw_people

TRAINING, FRESH, HOLDOUT = (draw_people(600, seed) for seed in (1, 2, 3))
ROLES = {"bought": "target"}


def evaluate(
    training: pa.Table, synthetic: pa.Table, holdout: pa.Table, roles: dict[str, str] | None = None
) -> Evaluated:
    contract = contract_for(training, roles)
    sides = [dataset(contract, side) for side in (training, synthetic, holdout)]
    return evaluate_release(*sides, seed=1)


def every_type(rows: int, seed: int) -> pa.Table:
    """Columns of every type: with gaps, constant, without any value, and extreme."""
    random = np.random.default_rng(seed)

    def gappy(values: list, of_type: pa.DataType | None = None) -> pa.Array:
        gaps = random.random(rows) < 0.2
        kept = [None if gap else value for value, gap in zip(values, gaps, strict=True)]
        return pa.array(kept, of_type or pa.array(values).type)

    small = random.integers(0, 9, rows)
    seconds = random.integers(0, 10**8, rows)
    moments = [dt.datetime(2020, 1, 1) + dt.timedelta(seconds=int(second)) for second in seconds]
    empty = [pa.float64(), pa.int64(), pa.string(), pa.bool_(), pa.date32(),
             pa.timestamp("us", tz="UTC"), pa.decimal128(12, 2)]  # fmt: skip
    return pa.table({
        "key": [f"{seed}-{row}" for row in range(rows)],
        "small": gappy(small.tolist(), pa.int32()),
        "large": gappy(random.integers(-(2**62), 2**62, rows).tolist()),
        "unsigned": gappy([2**63 + int(value) for value in small], pa.uint64()),
        "single": gappy(random.normal(size=rows).tolist(), pa.float32()),
        "huge": gappy((random.normal(size=rows) * 1e300).tolist()),
        "infinite": gappy(random.choice([1.0, 2.0, np.inf, -np.inf], rows).tolist()),
        "constant": [3.5] * rows,
        "same": ["x"] * rows,
        "flag": gappy((random.random(rows) < 0.3).tolist(), pa.bool_()),
        "day": gappy([moment.date() for moment in moments], pa.date32()),
        "moment": gappy(moments, pa.timestamp("ns")),
        "zoned": gappy(moments, pa.timestamp("us", tz="Europe/Vienna")),
        "ends of time": gappy(([dt.datetime(1, 1, 1), dt.datetime(9999, 1, 1)] * rows)[:rows]),
        "price": gappy([Decimal(int(s)) / 100 for s in seconds], pa.decimal128(12, 2)),
        "word": gappy(random.choice(["a", "b", ""], rows).tolist()).dictionary_encode(),
        "own": gappy([f"v{value}" for value in random.integers(0, 10**6, rows)]),
        **{f"empty {kind}": pa.nulls(rows, kind) for kind in empty},
    })  # fmt: skip


def check(evaluated: Evaluated) -> None:
    """What a report needs: JSON without NaN, intervals around values, one state for each bar."""
    json.dumps(evaluated.pictures, allow_nan=False)
    for finding in evaluated.findings:
        json.dumps(finding.model_dump(mode="json"), allow_nan=False)
        if finding.value is not None and finding.low is not None and finding.high is not None:
            assert finding.low <= finding.value <= finding.high
        if finding.bar is not None and finding.value is None:
            assert finding.state in ("inconclusive", "info") and finding.detail
    names = {finding.name for finding in evaluated.findings}
    assert {"shape_error", "detection_auc", "utility_gap"} <= names


def test_a_fresh_sample_is_published() -> None:
    evaluated = evaluate(TRAINING, FRESH, HOLDOUT, ROLES)
    check(evaluated)
    assert judge(evaluated.findings) == ("published", ())


@pytest.mark.parametrize("rows", [1, 5, 60, 200])
def test_no_type_of_column_and_no_size_of_table_fails(rows: int) -> None:
    sides = [every_type(rows, seed) for seed in (1, 2, 3)]
    evaluated = evaluate(*sides, {"key": "identifier", "flag": "target"})
    check(evaluated)
    if rows < 50:
        assert judge(evaluated.findings)[0] == "inconclusive"


@pytest.mark.parametrize("name", every_type(1, 0).column_names)
def test_every_type_can_be_the_target_and_stand_nearly_alone(name: str) -> None:
    columns = list(dict.fromkeys(["single", name]))
    sides = [every_type(80, seed).select(columns) for seed in (1, 2, 3)]
    check(evaluate(*sides, {name: "target"}))


@pytest.mark.parametrize("empty", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_side_without_rows_is_inconclusive(empty: tuple[int, ...]) -> None:
    sides = [TRAINING, FRESH, HOLDOUT]
    for at in empty:
        sides[at] = sides[at].slice(0, 0)
    evaluated = evaluate(*sides, ROLES)
    check(evaluated)
    assert judge(evaluated.findings)[0] == "inconclusive"


def test_a_table_of_identifiers_has_nothing_to_judge() -> None:
    side = pa.table({"key": ["a", "b", "c"]})
    evaluated = evaluate(side, side, side, {"key": "identifier"})
    check(evaluated)
    assert {finding.state for finding in evaluated.findings} == {"info"}


def test_the_same_seed_gives_the_same_findings_and_leaves_frames_alone() -> None:
    contract = contract_for(TRAINING, ROLES)
    sides = [dataset(contract, side.slice(0, 300)) for side in (TRAINING, FRESH, HOLDOUT)]
    before = [side.frame.copy() for side in sides]
    first, again = (evaluate_release(*sides, seed=7) for _ in range(2))
    assert first == again
    assert all(side.frame.equals(copy) for side, copy in zip(sides, before, strict=True))


@pytest.mark.parametrize("promise", ["role", "unique", "primary_key"])
def test_what_is_issued_anew_enters_no_figure_however_it_is_declared(promise: str) -> None:
    """The codec re-issues a unique column and a key without the role: so must the figures see it.

    Issued values lie far from the real ones; measured, they would refuse any release.
    """
    contract = contract_for(TRAINING.append_column("key", pa.array(range(600))))
    table = contract.tables[0]
    changed = {"role": "identifier"} if promise == "role" else {promise: True}
    columns = [c.model_copy(update=changed) if c.name == "key" else c for c in table.columns]
    keyed = table.model_copy(update={"columns": tuple(columns)})
    contract = contract.model_copy(update={"tables": (keyed,)})
    sides = [
        dataset(
            contract, side.append_column("key", pa.array(range(10_000 * at, 10_000 * at + 600)))
        )
        for at, side in enumerate((TRAINING, FRESH, HOLDOUT))
    ]
    evaluated = evaluate_release(*sides, seed=1)
    assert judge(evaluated.findings)[0] == "published"
    drawn = [column["column"] for column in evaluated.pictures["tables"][0]["columns"]]
    assert drawn == list(TRAINING.column_names)
    assert keyed.issues(keyed.column("key")) and not keyed.issues(keyed.column("height"))
    codec = TableCodec().fit(sides[0].frame, keyed)
    assert codec.issued_ == ("key",)


def test_every_table_is_judged_and_progress_ends_at_one() -> None:
    one = contract_for(TRAINING)
    tables = (one.tables[0], one.tables[0].model_copy(update={"name": "others"}))
    contract = Contract(id="tests", version="1", tables=tables)
    told: list[float] = []

    def frames(rows: pa.Table) -> Dataset:
        frame = to_frame(rows.slice(0, 100))
        return Dataset(contract, {"rows": frame, "others": frame})

    evaluated = evaluate_release(
        frames(TRAINING), frames(FRESH), frames(HOLDOUT),
        seed=1, progress=lambda done, _: told.append(done),
    )  # fmt: skip

    def names(table: str) -> list[str]:
        return [finding.name for finding in evaluated.findings if finding.table == table]

    assert names("rows") == names("others") != []
    assert [picture["table"] for picture in evaluated.pictures["tables"]] == ["rows", "others"]
    assert told == sorted(told) and told[-1] == 1.0


def test_findings_hold_no_value_of_a_rare_class() -> None:
    """A class that fewer than ten people hold is not named in a report that is published."""
    classes = ["common", "usual"] * 298 + ["secret"] * 4
    sides = [side.set_column(5, "bought", pa.array(classes)) for side in (TRAINING, FRESH, HOLDOUT)]
    evaluated = evaluate(*sides, ROLES)
    text = json.dumps([finding.model_dump(mode="json") for finding in evaluated.findings])
    assert "common" in text and "secret" not in text
    assert "secret" not in json.dumps(evaluated.pictures)


def test_findings_are_the_records_of_the_report() -> None:
    found = evaluate(TRAINING, FRESH, HOLDOUT).findings
    assert all(Finding.model_validate_json(each.model_dump_json()) == each for each in found)
