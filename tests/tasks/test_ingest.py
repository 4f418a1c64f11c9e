"""Sources taken in: exact types all the way to Parquet, panels in order, nothing lost."""

import datetime
import json
import random
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_contracts.contract import Column, Contract, Holdout, Source
from data_contracts.errors import SourceError
from data_contracts.schema import arrow_schema, to_arrow, to_frame
from tasks import csv_rows, part_files, sorting
from tasks.ingest import ingest_table
from tasks.run import Run
from tests.tasks.landing import Landing, integer, number, reasons, text

COLUMNS = (
    Column(name="flag", logical_type="boolean", physical_type="bool"),
    Column(name="small", logical_type="integer", physical_type="int8"),
    Column(name="large", logical_type="integer", physical_type="uint64"),
    number("single", "float32"),
    number("double"),
    number("price", "decimal128(12, 2)"),
    Column(name="day", logical_type="date", physical_type="date32"),
    Column(name="local", logical_type="timestamp", physical_type="timestamp[ms]"),
    Column(
        name="instant", logical_type="timestamp",
        physical_type="timestamp[us, tz=Europe/Vienna]", timezone="Europe/Vienna",
    ),
    text("size", "dictionary<string>", categories=("small", "middle", "large"), ordered=True),
    text("note"),
)  # fmt: skip
VALUES: list[dict[str, Any]] = [
    {
        "flag": True, "small": -128, "large": 2**64 - 1, "single": 0.5, "double": 0.1,
        "price": Decimal("1234567890.12"), "day": datetime.date(2024, 2, 29),
        "local": datetime.datetime(2024, 1, 1, 12, 0, 0, 250_000),
        "instant": datetime.datetime(2024, 6, 30, 22, 30, tzinfo=datetime.UTC),
        "size": "large", "note": "Zürich, 🧪",
    },
    dict.fromkeys((column.name for column in COLUMNS), None),
    {
        "flag": False, "small": 127, "large": 0, "single": -1.5, "double": 1e300,
        "price": Decimal("-0.01"), "day": datetime.date(1, 1, 1),
        "local": datetime.datetime(9999, 12, 31),
        "instant": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
        "size": "small", "note": "x",
    },
]  # fmt: skip
WRITTEN = [
    "true,-128,18446744073709551615,0.5,0.1,1234567890.12,2024-02-29,2024-01-01T12:00:00.250,"
    '2024-07-01 00:30,large,"Zürich, 🧪"',
    ",,,,,,,,,,",
    "0,127,0,-1.5,1e300,-0.01,0001-01-01,9999-12-31,2024-01-01T01:00:00,small,x",
]
HEADER = ",".join(column.name for column in COLUMNS)


def write_csv(landing: Landing) -> None:
    landing.write("\n".join([HEADER, *WRITTEN]) + "\n", "rows")


def write_json_lines(landing: Landing) -> None:
    lines = []
    for row in VALUES:
        kept = {
            key: str(value) if not isinstance(value, bool | int | float) else value
            for key, value in row.items()
            if value is not None
        }
        lines.append(json.dumps(kept))
    landing.write("\n".join(lines), "rows")


def write_parquet(landing: Landing) -> None:
    arrays = {
        field.name: pa.array([row[field.name] for row in VALUES], field.type)
        for field in arrow_schema(landing.table)
    }
    pq.write_table(pa.table(arrays), landing.folder / "rows")


def write_database(landing: Landing) -> None:
    rows = [tuple(str(v) if v is not None else None for v in row.values()) for row in VALUES]
    with sqlite3.connect(landing.folder / "rows.db") as connection:
        names = ", ".join(column.name for column in COLUMNS)
        connection.execute(f"CREATE TABLE rows ({names})")
        places = ", ".join("?" for _ in COLUMNS)
        connection.executemany(f"INSERT INTO rows VALUES ({places})", rows)
    connection.close()


FORMATS = {
    "csv": (write_csv, Source(format="csv", path="rows")),
    "jsonl": (write_json_lines, Source(format="jsonl", path="rows")),
    "parquet": (write_parquet, Source(format="parquet", path="rows")),
    "sql": (
        write_database,
        Source(format="sql", url="sqlite:///rows.db", query="SELECT * FROM rows"),
    ),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_types_are_exact_from_every_source_to_the_proven_file(tmp_path: Path, kind: str) -> None:
    write, source = FORMATS[kind]
    landing = Landing(tmp_path, *COLUMNS, source=source)
    write(landing)
    assert landing.proof()["rows_proven"] == 3
    proven = landing.read("proven")
    assert proven.schema == arrow_schema(landing.table)
    assert proven.to_pylist() == VALUES
    frame = to_frame(proven)
    assert [str(kind) for kind in frame.dtypes[["flag", "small", "large"]]] == [
        "boolean", "Int8", "UInt64",
    ]  # fmt: skip
    assert to_arrow(frame, landing.table).equals(proven)


def test_categories_keep_the_order_of_the_contract(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a"), COLUMNS[9])
    landing.write("a,size\n1,large\n2,huge\n3,small\n").ingest()
    sizes = landing.read("typed")["size"].combine_chunks()
    assert sizes.to_pylist() == ["large", "huge", "small"]
    assert sizes.dictionary.to_pylist() == ["small", "middle", "large", "huge"]
    assert sizes.type.ordered


@pytest.mark.parametrize("ordered", [True, False])
def test_a_dictionary_in_another_order_takes_the_order_of_the_contract(
    tmp_path: Path, ordered: bool
) -> None:
    found = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None], pa.int8()), pa.array(["large", "small"]), ordered=ordered
    )
    pq.write_table(pa.table({"size": found}), tmp_path / "rows.parquet")
    source = Source(format="parquet", path="rows.parquet")
    landing = Landing(tmp_path, COLUMNS[9], source=source)
    assert landing.proof()["rows_proven"] == 3
    proven = landing.read("proven")
    assert proven.schema == arrow_schema(landing.table)
    assert proven["size"].type.ordered
    sizes = to_frame(proven)["size"]
    assert sizes.tolist()[:2] == ["large", "small"]
    assert list(sizes.cat.categories) == ["small", "middle", "large"]
    assert sizes.cat.ordered
    assert to_arrow(sizes.to_frame(), landing.table).equals(proven)


@pytest.mark.parametrize("kind", ["series", "table"])
def test_no_label_of_a_rejected_row_is_left_in_the_proven_files(tmp_path: Path, kind: str) -> None:
    options = {"kind": "series", "time": "t"} if kind == "series" else {}
    landing = Landing(
        tmp_path, Column(name="t", logical_type="date", physical_type="date32"),
        integer("a", maximum=9), COLUMNS[9], text("free", "dictionary<string>"), **options,
    )  # fmt: skip
    rows = [
        "2024-01-04,1,large,kept-one",
        "2024-01-03,wrong,untyped-size,untyped-free",
        "2024-01-02,10,broken-size,broken-free",
        "2024-01-01,,,",
        "2024-01-05,2,small,kept-two",
    ]
    landing.write("\n".join(["t,a,size,free", *rows]) + "\n")
    assert landing.proof()["rows_proven"] == 3
    proven = landing.read("proven")
    sizes = proven["size"].combine_chunks()
    assert sizes.dictionary.to_pylist() == ["small", "middle", "large"]
    assert sorted(map(str, sizes.to_pylist())) == ["None", "large", "small"]
    assert sorted(map(str, proven["free"].to_pylist())) == ["None", "kept-one", "kept-two"]
    assert proven.schema == arrow_schema(landing.table)
    # Bytes as Arrow has them in memory, beside those of the file: its pages are compressed.
    files = landing.store.list_files("work/rows/proven")
    held = b"".join(map(landing.store.read_bytes, files)) + uncompressed(proven)
    assert b"kept-one" in held
    assert b"untyped" not in held and b"broken" not in held


def uncompressed(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return bytes(sink.getvalue())


def test_every_reason_of_a_row_is_kept_with_what_was_read(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a", required=True), number("b"), text("c", required=True))
    landing.write("a,b,c\n1,2,x\nNA, x ,\n3,y,z\n")
    ingested = landing.ingest()
    first, second = landing.rejects()
    assert first["_reasons"] == ["a: missing", "b: not a number", "c: missing"]
    assert (first["a"], first["b"], first["c"], first["_row"]) == ("NA", " x ", "", 2)
    assert (second["_reasons"], second["_file"]) == (["b: not a number"], "rows.csv")
    counts = {reason.rule: reason.rows for reason in ingested.reasons}
    assert counts == {"b: not a number": 2, "a: missing": 1, "c: missing": 1}


def test_a_primary_key_must_be_there_though_not_marked_required(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("id", primary_key=True), integer("b"))
    landing.write("id,b\n1,1\n,2\n").ingest()
    assert reasons(landing.rejects()) == [["id: missing"]]
    assert landing.read("typed").schema.field("id").nullable


def test_the_number_of_a_row_counts_within_its_file(tmp_path: Path) -> None:
    source = Source(format="csv", path="*.csv")
    landing = Landing(tmp_path, integer("a"), source=source)
    landing.write("a\n1\nx\n", "1.csv").write("a\ny\n4\n", "2.csv").ingest()
    assert [(row["_file"], row["_row"]) for row in landing.rejects()] == [
        ("1.csv", 2),
        ("2.csv", 1),
    ]
    assert landing.typed("_file") == ["1.csv", "2.csv"]


def test_a_type_that_cannot_become_the_declared_one_names_the_file(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a"), source=Source(format="parquet", path="rows"))
    pq.write_table(pa.table({"a": [["x"]]}), tmp_path / "rows")
    with pytest.raises(SourceError, match=r"rows: column 'a' is list"):
        landing.ingest()


def test_rejects_of_typed_sources_are_text_too(tmp_path: Path) -> None:
    landing = Landing(
        tmp_path, integer("a"), text("b"), source=Source(format="parquet", path="rows")
    )
    pq.write_table(pa.table({"a": [1.5, 2.0], "b": ["x", "y"]}), tmp_path / "rows")
    landing.ingest()
    (row,) = landing.rejects()
    assert (row["a"], row["b"], row["_reasons"]) == (
        "1.5", "x", ["a: does not fit int64 without loss"],
    )  # fmt: skip


def test_parts_are_bounded_and_nothing_is_lost_between_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_files, "ROWS_PER_PART", 1000)
    monkeypatch.setattr(part_files, "_ROWS_PER_GROUP", 300)
    landing = Landing(tmp_path, integer("a"))
    landing.write("a\n" + "".join(f"{i}\n" for i in range(3500)))
    ingested = landing.ingest()
    assert [part.rows for part in ingested.parts] == [1000, 1000, 1000, 500]
    assert landing.typed("a") == list(range(3500))
    proven = landing.prove(ingested)
    assert [part.rows_proven for part in proven] == [1000, 1000, 1000, 500]
    assert landing.read("proven")["a"].to_pylist() == list(range(3500))


def test_categories_that_differ_from_block_to_block_come_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_files, "_ROWS_PER_GROUP", 100)
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 2000)
    landing = Landing(tmp_path, integer("a"), text("b", "dictionary<string>"))
    values = [f"level {i // 40}" for i in range(2000)]
    landing.write("a,b\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))
    assert landing.proof()["rows_proven"] == 2000
    assert landing.read("proven")["b"].to_pylist() == values


def test_a_second_ingest_replaces_what_a_first_left_behind(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a")).write("a\n1\nx\n")
    landing.ingest()
    landing.write("a\n2\n").ingest()
    assert landing.typed("a") == [2]
    assert landing.rejects() == []


def panel(folder: Path, **options: Any) -> Landing:
    time = Column(name="t", logical_type="timestamp", physical_type="timestamp[s]")
    columns = (text("machine", "dictionary<string>"), time, integer("v"))
    return Landing(folder, *columns, kind="panel", entity="machine", time="t", **options)


def stamp(hour: float) -> str:
    return str(datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=hour))


def test_a_panel_comes_out_ordered_though_it_does_not_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_files, "ROWS_PER_PART", 700)
    monkeypatch.setattr(part_files, "_ROWS_PER_GROUP", 200)
    monkeypatch.setattr(sorting, "_ROWS_IN_MEMORY", 500)
    monkeypatch.setattr(sorting, "_FEWEST_ROWS", 10)
    rows = [(f"m{m}", stamp(h), m * 1000 + h) for m in range(7) for h in range(500)]
    random.Random(3).shuffle(rows)
    landing = panel(tmp_path, cadence="h")
    landing.write("machine,t,v\n" + "".join(f"{m},{t},{v}\n" for m, t, v in rows))
    ingested = landing.ingest()
    assert landing.typed("v") == [m * 1000 + h for m in range(7) for h in range(500)]
    assert len(ingested.parts) == 5
    assert ingested.notes == ("rows did not come ordered by machine, t: they were sorted",)
    assert landing.store.list_folders("work/rows") == ["typed"]


def test_repeats_gaps_and_odd_steps_of_a_panel_are_noted(tmp_path: Path) -> None:
    hours: dict[str, list[float]] = {"a": [0, 1, 1, 2, 5], "b": [0, 1, 1.5]}
    rows = [f"{m},{stamp(h)},1" for m, steps in hours.items() for h in steps]
    landing = panel(tmp_path, cadence="h").write("machine,t,v\n" + "\n".join(rows))
    assert landing.ingest().notes == (
        "1 rows repeat the (machine, t) of the row before",
        "1 gaps in t at cadence h: 2 rows are not there",
        "1 steps of t are no multiple of h",
    )


def test_a_row_without_entity_or_time_has_no_place_in_a_panel(tmp_path: Path) -> None:
    landing = panel(tmp_path).write(f"machine,t,v\na,{stamp(0)},1\n,{stamp(1)},2\nb,,3\n")
    landing.ingest()
    assert reasons(landing.rejects()) == [["machine: missing"], ["t: missing"]]


@given(
    keys=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), min_size=1, max_size=40),
    memory=st.integers(1, 12),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_external_sort_is_python_s_stable_sort(
    tmp_path: Path, keys: list[tuple[str, int]], memory: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part_files, "ROWS_PER_PART", 9)
        patch.setattr(part_files, "_ROWS_PER_GROUP", 4)
        patch.setattr(sorting, "_ROWS_IN_MEMORY", memory)
        patch.setattr(sorting, "_FEWEST_ROWS", 1)
        landing = panel(tmp_path)
        rows = [f"{entity},{stamp(hour)},{place}" for place, (entity, hour) in enumerate(keys)]
        landing.write("machine,t,v\n" + "\n".join(rows)).ingest()
    assert landing.typed("v") == sorted(range(len(keys)), key=lambda place: keys[place])


def test_the_task_takes_in_the_table_or_its_holdout(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a")).write("a\n1\n2\n").write("a\n3\n", "held.csv")
    held = Holdout(sources={"rows": Source(format="csv", path="held.csv")})
    contract = Contract(
        id="c", version="1.0.0", tables=(landing.table,), holdout=held, folder=tmp_path
    )
    run = Run(contract=contract, store=str(tmp_path / "store"), work="w")
    assert ingest_table.fn(run, "rows", False, "w/main").rows_typed == 2
    assert ingest_table.fn(run, "rows", True, "w/held").rows_typed == 1
    assert landing.store.list_folders("w") == ["held", "main"]


def test_a_retry_is_made_only_for_a_source_that_does_not_answer() -> None:
    from prefect.states import Failed

    from tasks.ingest import _may_pass
    from tasks.source_rows import SourceUnavailableError

    assert _may_pass(None, None, Failed(data=SourceUnavailableError("locked")))
    assert not _may_pass(None, None, Failed(data=SourceError("damaged")))


def test_the_same_source_makes_the_same_bytes(tmp_path: Path) -> None:
    random_values = np.random.default_rng(1).integers(0, 99, 5000)
    landing = Landing(tmp_path, integer("a"), text("b", "dictionary<string>"))
    landing.write("a,b\n" + "".join(f"{v},{v % 7}\n" for v in random_values))
    first, second = landing.prove(landing.ingest()), landing.prove(landing.ingest())
    assert [part.part.sha256 for part in first] == [part.part.sha256 for part in second]
