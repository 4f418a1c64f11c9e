"""Rows of a database query through SQLAlchemy, a few thousand at a time; it only ever reads."""

import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import sqlalchemy
from sqlalchemy import exc

from data_contracts.contract import Source
from data_contracts.errors import ContractError, SourceError, problem
from tasks.source_rows import Chunk, SourceUnavailableError, check_columns

_ROWS = 20_000
_SHOWN = 20
# What opens a new transaction that the database itself keeps from writing. SQLite is opened
# read-only, PostgreSQL's drivers have an option; others have the check of the query alone.
_READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
# Text and names in quotes, which may hold anything, and comments.
_ASIDE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/""", re.DOTALL)
_READS = re.compile(r"[\s(]*(select|with|values)\b", re.IGNORECASE)


def read_sql(source: Source, folder: Path, wanted: tuple[str, ...] | None) -> Iterator[Chunk]:
    """The rows of the query (or table) as typed columns; the URL comes from the environment.

    Raises ContractError for a query that may do more than read, SourceError for a missing variable
    or a query that fails, SourceUnavailableError for a database that does not answer. None of them
    shows the URL, the query's parameters or values.
    """
    name = f"table {source.table}" if source.table else "the query"
    if source.query is not None:
        _refuse_writing(source.query)
    engine = _engine(source, folder)
    try:
        with engine.connect() as connection:
            _keep_from_writing(connection)
            selected = _selection(source, connection)
            result = connection.execution_options(
                stream_results=True, max_row_buffer=_ROWS
            ).execute(selected)
            columns, left_out = check_columns(name, list(result.keys()), wanted)
            places = [list(result.keys()).index(column) for column in columns]
            first = 1
            for rows in result.partitions(_ROWS):
                arrays = [_array([row[place] for row in rows]) for place in places]
                batch = pa.RecordBatch.from_arrays(arrays, names=list(columns))
                yield Chunk(batch, name, np.arange(first, first + len(rows)), (), left_out)
                first += len(rows)
    except exc.SQLAlchemyError as error:
        raise _fault(name, error, engine) from None
    finally:
        engine.dispose()


def _engine(source: Source, folder: Path) -> sqlalchemy.Engine:
    text = source.url
    if source.url_env is not None:
        text = os.environ.get(source.url_env)
        if not text:
            found = f"environment variable {source.url_env} is not set"
            raise SourceError(problem("SQL source", found, "Put the database's URL into it."))
    try:
        url = sqlalchemy.engine.make_url(text or "")
        if url.get_backend_name() == "sqlite" and url.database:
            path = (folder / url.database).resolve()
            if not path.is_file():
                raise SourceError(problem(str(path), "no such database file", "Correct the URL."))
            url = read_only_sqlite(path).update_query_dict(
                {key: value for key, value in url.query.items() if key not in ("mode", "uri")}
            )
        return sqlalchemy.create_engine(url)
    except (exc.SQLAlchemyError, ImportError) as error:
        found = f"not a URL that can be used ({type(error).__name__})"
        remedy = "Write it as dialect+driver://user:password@host/database, and install the driver."
        raise SourceError(problem("SQL source", found, remedy)) from None


def read_only_sqlite(path: Path) -> sqlalchemy.URL:
    """The URL by which SQLite opens the file at the absolute `path` and refuses to write to it."""
    options = {"mode": "ro", "uri": "true"}
    return sqlalchemy.URL.create("sqlite", database=f"file:{quote(str(path))}", query=options)


def _refuse_writing(query: str) -> None:
    """ContractError for a query that is not one statement which reads.

    A source is data that somebody landed: no command, not even one that only checks, may change it.
    """
    if not _READS.match(_COMMENT.sub(" ", query)):
        found = "the query does not begin with SELECT, WITH or VALUES"
        raise ContractError(problem("SQL source", found, "A source is only ever read: write one."))
    if ";" in _ASIDE.sub(" ", query).rstrip().rstrip(";"):
        found = "the query holds more than one statement"
        raise ContractError(problem("SQL source", found, "Keep the one that selects the rows."))


def _keep_from_writing(connection: sqlalchemy.Connection) -> None:
    """Has the database itself refuse writes, where it can: a function may write in a SELECT."""
    if connection.dialect.name == "postgresql":
        connection.execution_options(postgresql_readonly=True)
    elif (command := _READ_ONLY.get(connection.dialect.name)) is not None:
        connection.exec_driver_sql(command)
        if command.startswith("SET SESSION"):
            connection.rollback()  # The session's setting holds from its next transaction on.


def _selection(source: Source, connection: sqlalchemy.Connection) -> Any:
    if source.query is not None:
        return sqlalchemy.text(source.query)
    assert source.table is not None
    schema, _, table = source.table.rpartition(".")
    reflected = sqlalchemy.Table(
        table, sqlalchemy.MetaData(), schema=schema or None, autoload_with=connection
    )
    return sqlalchemy.select(reflected)


def _array(values: list[Any]) -> pa.Array:
    """Values as the driver gave them; a column of mixed kinds, or of decimals, as text."""
    if any(isinstance(value, Decimal) for value in values):
        return pa.array([None if value is None else _plain(value) for value in values], pa.string())
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _plain(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _fault(name: str, error: exc.SQLAlchemyError, engine: sqlalchemy.Engine) -> SourceError:
    if isinstance(error, exc.NoSuchTableError):
        remedy = f"Correct `table`. {_tables(engine)}"
        return SourceError(problem("SQL source", f"no such {name}", remedy.rstrip()))
    told = ""
    if isinstance(error, exc.DBAPIError):
        # Drivers quote values in errors about data, never in those about connections and syntax.
        if isinstance(error, exc.OperationalError | exc.ProgrammingError):
            told = f": {str(error.orig).splitlines()[0][:200]}"
        if error.connection_invalidated or "locked" in told or "connect" in told:
            found = f"{name} does not answer{told}"
            return SourceUnavailableError(problem("SQL source", found, "Run again later."))
    found = f"{name} failed ({type(error).__name__}{told})"
    remedy = f"Check the query and the tables it names. {_tables(engine)}"
    return SourceError(problem("SQL source", found, remedy.rstrip()))


def _tables(engine: sqlalchemy.Engine) -> str:
    """The tables and views that there are, in a sentence; none where the database won't tell."""
    try:
        inspector = sqlalchemy.inspect(engine)
        names = sorted([*inspector.get_table_names(), *inspector.get_view_names()])
    except (exc.SQLAlchemyError, NotImplementedError):
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"The database has {', '.join(names[:_SHOWN]) or 'no tables'}{more}."
