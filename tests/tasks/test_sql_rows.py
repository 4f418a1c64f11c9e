"""A database read as typed rows, told apart when it fails, and never changed."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.contract import Contract, Holdout, Source
from data_contracts.errors import ContractError, SourceError
from tasks.ingest import ingest_table
from tasks.readers import read_batches, sniff_source
from tasks.run import Run
from tasks.source_rows import SourceUnavailableError
from tests.tasks.landing import Landing, integer


def read(source: Source, folder: Path, *columns: str) -> list[dict[str, Any]]:
    batches = read_batches(source, folder, columns or None)
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "rows.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE people (id INTEGER, price DECIMAL(8, 2), born DATE, seen TIMESTAMP,"
            " member BOOLEAN, name TEXT)"
        )
        connection.executemany(
            "INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)",
            [
                (1, 1.1, "2000-02-29", "2024-01-01 12:00:00.000000", 1, "Ana"),
                (2, None, None, None, None, None),
            ],
        )
    connection.close()
    return path


def test_a_table_of_a_database_comes_typed(tmp_path: Path, database: Path) -> None:
    source = Source(format="sql", url="sqlite:///rows.db", table="people")
    (batch,) = read_batches(source, tmp_path)
    assert batch.schema.types == [
        pa.int64(), pa.string(), pa.date32(), pa.timestamp("us"), pa.bool_(), pa.string(),
    ]  # fmt: skip
    assert batch["price"].to_pylist() == ["1.10", None]


def test_a_query_and_a_url_from_the_environment(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(format="sql", url_env="PEOPLE_URL", query="SELECT id, name FROM people")
    with pytest.raises(SourceError, match="environment variable PEOPLE_URL is not set"):
        read(source, tmp_path)
    monkeypatch.setenv("PEOPLE_URL", f"sqlite:///{database}")
    assert read(source, Path("/"), "name", "id") == [
        {"name": "Ana", "id": 1}, {"name": None, "id": 2},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (
            {"url": "sqlite:///rows.db", "table": "nobody"},
            "no such table nobody.*The database has people",
        ),
        (
            {"url": "sqlite:///rows.db", "query": "SELECT x FROM people"},
            "no such column: x.*has people",
        ),
        ({"url": "sqlite:///rows.db", "query": "SELECT 1 FRM x y"}, "syntax error"),
        ({"url": "sqlite:///gone.db", "table": "people"}, "no such database file"),
        ({"url": "nonsense", "table": "people"}, "not a URL that can be used"),
        ({"url": "nodialect://u:secret@h/d", "table": "people"}, "not a URL that can be used"),
    ],
    ids=str,
)
def test_a_database_that_cannot_be_read_is_told_without_its_url(
    tmp_path: Path, database: Path, options: dict[str, str], found: str
) -> None:
    with pytest.raises(SourceError, match=found) as error:
        read(Source.model_validate({"format": "sql", **options}), tmp_path)
    assert "secret" not in str(error.value)
    assert not isinstance(error.value, SourceUnavailableError)


@pytest.mark.parametrize(
    ("query", "error", "found"),
    [
        ("drop table people", ContractError, "does not begin with SELECT, WITH or VALUES"),
        ("/* select */ -- select\nDELETE FROM people", ContractError, "does not begin with"),
        ("SELECT 1; DROP TABLE people", ContractError, "more than one statement"),
        ("SELECT ';' AS a; -- done;\nDROP TABLE people", ContractError, "more than one statement"),
        # A statement that reads by its first word alone: the database itself refuses it.
        ("WITH x AS (SELECT 1) DELETE FROM people", SourceError, "readonly database"),
    ],
)
def test_a_query_cannot_change_the_database(
    tmp_path: Path, database: Path, query: str, error: type[Exception], found: str
) -> None:
    before = database.read_bytes()
    source = Source(format="sql", url="sqlite:///rows.db?mode=rw", query=query)
    with pytest.raises(error, match=found):
        read(source, tmp_path)
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    "query",
    [
        "-- the first\nselect id AS a FROM people WHERE name = 'Ana';\n",
        "/* one; */ WITH x AS (SELECT ';' AS a) SELECT 1 AS a FROM x -- done; all of it",
        "SELECT id AS \"a\" FROM people WHERE name <> ';' ; -- end",
    ],
)
def test_a_query_that_reads_is_let_through(tmp_path: Path, database: Path, query: str) -> None:
    named = tmp_path / "a #50% ?.db"
    database.rename(named)
    source = Source(format="sql", url="sqlite:///a #50% %3F.db", query=query)
    assert read(source, tmp_path, "a") == [{"a": 1}]


def test_a_locked_database_may_answer_later(tmp_path: Path, database: Path) -> None:
    blocker = sqlite3.connect(database, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    try:
        source = Source(format="sql", url="sqlite:///rows.db?timeout=0.1", table="people")
        with pytest.raises(SourceUnavailableError, match="does not answer"):
            read(source, tmp_path)
    finally:
        blocker.close()


def test_a_column_of_mixed_kinds_comes_as_text(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        connection.execute("CREATE TABLE rows (a)")
        connection.executemany("INSERT INTO rows VALUES (?)", [(1,), ("x",), (2.5,), (None,)])
    connection.close()
    source = Source(format="sql", url="sqlite:///rows.db", query="SELECT a FROM rows")
    assert [row["a"] for row in read(source, tmp_path)] == ["1", "x", "2.5", None]


def test_a_database_is_guessed(database: Path) -> None:
    found = sniff_source(database)
    assert (found.format, found.table) == ("sql", "people")
    assert len(read(found, Path("/"))) == 2


@pytest.mark.parametrize("holdout", [False, True])
@pytest.mark.parametrize(
    ("options", "error", "found"),
    [
        ({"table": "nobody"}, SourceError, "no such table nobody.*The database has ages, people"),
        ({"query": "SELECT 1 FROM nobody"}, SourceError, "The database has ages, people"),
        ({"query": "DROP TABLE people"}, ContractError, "does not begin with SELECT"),
        ({"table": "people"}, SourceError, "1 of the contract's 1 columns missing"),
    ],
    ids=str,
)
def test_a_database_that_does_not_fit_tells_contract_and_table(
    tmp_path: Path, options: dict[str, str], error: type[Exception], found: str, holdout: bool
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "rows.db")) as base:
        base.execute("CREATE TABLE people (id INTEGER)")
        base.execute("CREATE VIEW ages AS SELECT id FROM people")
    source = Source.model_validate({"format": "sql", "url": "sqlite:///rows.db", **options})
    landing = Landing(tmp_path, integer("a"), source=source)
    contract = Contract(
        id="clinic", version="1.0.0", tables=(landing.table,), folder=tmp_path,
        holdout=Holdout(sources={"rows": source}),
    )  # fmt: skip
    run = Run(contract=contract, store=str(tmp_path / "store"), work="w")
    part = r" \(holdout\)" if holdout else ""
    with pytest.raises(error, match=f"^contract clinic, table rows{part}: .*{found}"):
        ingest_table.fn(run, "rows", holdout, "w/main")
