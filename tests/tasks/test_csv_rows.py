"""How a CSV file is read while a fault ends the reading: nothing is left at work."""

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from data_contracts.contract import Source
from tests.tasks.landing import Landing, integer, text

ROOT = Path(__file__).resolve().parent.parent.parent

# As whoever keeps the error leaves it: nothing is closed until Python shuts down.
FAULT = """
import sys
from pathlib import Path
from data_contracts.contract import Source
from data_contracts.errors import SourceError
from tasks.readers import read_chunks
folder, encoding = Path(sys.argv[1]), sys.argv[2]
kept = read_chunks(Source(format="csv", path="rows.csv", encoding=encoding), folder, ("a", "b"))
try:
    next(kept), next(kept)
except SourceError as error:
    fault = error
    print(fault, flush=True)
    raise
"""


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_fault_while_more_is_read_ahead_ends_cleanly(tmp_path: Path, encoding: str) -> None:
    # Packed, and long to unpack: Arrow still reads when the fault has long been told.
    rows = b'a,b\n1,x\n2,"y\n' + b"3,z\n" * (18 << 20)
    (tmp_path / "rows.csv").write_bytes(gzip.compress(rows, 1))
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", FAULT, str(tmp_path), encoding],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ended.returncode == 1, ended.stderr
        assert "a row of more than 16 MiB" in ended.stdout
        assert "terminate" not in ended.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_arrow_never_calls_python_to_read(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The crash above is a race; what it needs is a stream, or a codec, of Python's.
    given: list[tuple[object, str]] = []

    def open_csv(stream: Any, options: Any, *more: Any) -> Any:
        given.append((stream, options.encoding))
        return opened(stream, options, *more)

    opened = pacsv.open_csv

    monkeypatch.setattr("tasks.csv_rows.pacsv.open_csv", open_csv)
    source = Source(format="csv", path="rows.csv", encoding=encoding)
    landing = Landing(tmp_path, integer("a"), text("b"), source=source)
    landing.write("a,b\n1,x\n".encode(encoding))
    landing.ingest()
    ((stream, read_as),) = given
    assert not isinstance(stream, pa.PythonFile)
    assert read_as == "utf8"
