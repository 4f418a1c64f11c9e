"""What can be wrong with a source although each of its values is well formed."""

import codecs
import re
from collections.abc import Iterator

from data_contracts.contract import Source
from data_contracts.faults import Fault, show

# A password in a database URL: `scheme://user:password@host`.
_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def source_contradictions(source: Source, path: str) -> Iterator[Fault]:
    """Every contradiction inside the source; `path` is its place in the ODCS file."""
    yield from _database(source, path) if source.format == "sql" else _file(source, path)


def _database(source: Source, path: str) -> Iterator[Fault]:
    if source.path is not None:
        yield Fault(f"{path}.path", "given for SQL", "Use url_env (or url) in place of it.")
    if (source.url is None) == (source.url_env is None):
        remedy = "Give one of url_env (the variable that holds the URL) and url."
        yield Fault(f"{path}.url_env", "neither or both of url and url_env", remedy)
    if (source.query is None) == (source.table is None):
        yield Fault(f"{path}.query", "neither or both of query and table", "Give one of them.")
    if source.url is not None and _PASSWORD.search(source.url):
        remedy = "Put the URL into an environment variable and name that in url_env."
        yield Fault(f"{path}.url", "a password in the contract", remedy)


def _file(source: Source, path: str) -> Iterator[Fault]:
    if not source.path or "\0" in source.path:
        remedy = "Give the path of a file, a folder or a glob."
        yield Fault(f"{path}.path", "missing or unusable", remedy)
    for key in ("url", "url_env", "query", "table"):
        if getattr(source, key) is not None:
            yield Fault(f"{path}.{key}", f"given for {source.format}", "Remove it, or use sql.")
    for key in ("delimiter", "quote"):
        if len(getattr(source, key)) != 1:
            found = f"found {show(getattr(source, key))}"
            yield Fault(f"{path}.{key}", found, "Must be one character.")
    if source.decimal not in (".", ","):
        yield Fault(f"{path}.decimal", f"found {show(source.decimal)}", "Use '.' or ','.")
    if source.format == "csv" and source.delimiter in (source.decimal, source.quote):
        found = f"{show(source.delimiter)} is also the decimal sign or the quote"
        yield Fault(f"{path}.delimiter", found, "Use three different characters.")
    try:
        codecs.lookup(source.encoding)
    except (LookupError, ValueError):
        found = f"no encoding is called {source.encoding!r}"
        yield Fault(f"{path}.encoding", found, "Use a name such as utf-8 or latin-1.")
    both = sorted(set(source.true_words) & set(source.false_words))
    if both:
        yield Fault(f"{path}.true_words", f"{show(both[0])} is also a false word", "Remove one.")
