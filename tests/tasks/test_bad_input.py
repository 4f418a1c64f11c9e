"""Bad input of every kind that we could think of: a clear error or a kept reject, nothing lost."""

import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from data_contracts.contract import Column, Source
from data_contracts.errors import ContractError, SourceError, StoreError
from data_contracts.schema import type_text
from tasks.storage import Store
from tests.tasks.landing import Landing, integer, number, reasons, text

ROOT = Path(__file__).resolve().parent.parent.parent


def day(name: str, physical: str = "date32", **options: str) -> Column:
    return Column(name=name, logical_type="date", physical_type=physical, **options)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"rows\.csv: the file is empty \(0 bytes\)"):
        Landing(tmp_path, integer("a")).write("").ingest()


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"rows\.csv: no such file"):
        Landing(tmp_path, integer("a")).ingest()


def test_blank_lines_are_no_header(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no header and no rows"):
        Landing(tmp_path, integer("a"), integer("b")).write("\n\n\n").ingest()


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no rows"):
        Landing(tmp_path, integer("a"), integer("b")).write("a,b\n").ingest()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_row_is_enough(tmp_path: Path, end: str) -> None:
    landing = Landing(tmp_path, integer("a"), text("b")).write(f"a,b{end or chr(10)}1,x{end}")
    assert landing.ingest().rows_typed == 1
    assert landing.typed("b") == ["x"]


def test_one_column_keeps_its_empty_rows(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a")).write("a\n1\n\n3\n")
    ingested = landing.ingest()
    assert landing.typed("a") == [1, None, 3]
    assert ingested.rows_read == 3


def test_a_wrong_delimiter_names_the_right_one(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a"), integer("b")).write("a;b\n1;2\n")
    with pytest.raises(
        SourceError, match=r"2 of the contract's 2 columns missing.*separated by ';'"
    ):
        landing.ingest()


def test_a_wrong_delimiter_without_a_header_is_told(tmp_path: Path) -> None:
    source = Source(format="csv", path="rows.csv", header=False)
    landing = Landing(tmp_path, integer("a"), integer("b"), source=source).write("1;2\n")
    with pytest.raises(SourceError, match=r"1 fields in the first row.*Check the delimiter"):
        landing.ingest()


@pytest.mark.parametrize("row", ["P00000,Bob Moser,Linz", "P00000,Bob,Bob"])
def test_a_row_in_place_of_the_header_is_not_shown(tmp_path: Path, row: str) -> None:
    landing = Landing(tmp_path, text("person_id"), text("name"), text("city"))
    with pytest.raises(SourceError) as error:
        landing.write(f"{row}\nP00001,Eva Huber,Graz\n").ingest()
    shown = str(error.value)
    told = "at places 2, 3 stands more" if "Bob," in row else "first row has 3 fields, none of them"
    assert told in shown
    assert not [cell for cell in ("P0000", "Bob", "Moser", "Linz", "Eva") if cell in shown]


def test_only_names_near_a_declared_one_are_shown(tmp_path: Path) -> None:
    landing = Landing(tmp_path, text("person_id"), text("name"), text("city"))
    with pytest.raises(SourceError, match=r"2 of the contract's 3 .*; it has 'Person_ID'") as error:
        landing.write("Person_ID,name,Moser\n1,x,y\n").ingest()
    assert "Moser" not in str(error.value)


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_cut_off_gzip_is_refused(tmp_path: Path, keep: float) -> None:
    packed = gzip.compress(b"a,b\n" + os.urandom(30_000).hex().encode())
    source = Source(format="csv", path="rows.csv.gz")
    landing = Landing(tmp_path, integer("a"), integer("b"), source=source)
    landing.write(packed[: int(len(packed) * keep)], "rows.csv.gz")
    with pytest.raises(SourceError, match="the file is damaged or cut off"):
        landing.ingest()


def test_a_gzip_with_flipped_bytes_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 5000 + os.urandom(9).hex().encode()))
    packed[len(packed) // 2] ^= 0xFF
    source = Source(format="csv", path="rows.csv.gz")
    landing = Landing(tmp_path, integer("a"), integer("b"), source=source)
    with pytest.raises(SourceError, match="damaged"):
        landing.write(bytes(packed), "rows.csv.gz").ingest()


def test_an_archive_is_refused_by_name(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a")).write(b"PK\x03\x04" + b"\0" * 60)
    with pytest.raises(SourceError, match="a zip archive"):
        landing.ingest()


def test_rows_in_another_encoding_are_kept_as_rejects(tmp_path: Path) -> None:
    content = "a,b\n1,Zürich\n".encode() + "2,Gruß\n".encode("latin-1") + "3,Genève\n".encode()
    landing = Landing(tmp_path, integer("a"), text("b")).write(content)
    ingested = landing.ingest()
    assert (ingested.rows_read, ingested.rows_typed, ingested.rows_rejected) == (3, 2, 1)
    assert landing.typed("b") == ["Zürich", "Genève"]
    (rejected,) = landing.rejects()
    assert rejected["_reasons"] == ["b: not UTF-8 text"]
    assert rejected["_row"] == 2
    assert rejected["_text"] == "2,Gru\\xdf"


def test_a_file_that_is_not_in_its_declared_encoding_is_refused(tmp_path: Path) -> None:
    source = Source(format="csv", path="rows.csv", encoding="ascii")
    landing = Landing(tmp_path, text("a"), text("b"), source=source).write("a,b\n1,Zürich\n")
    with pytest.raises(SourceError, match="not ascii text"):
        landing.ingest()


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig", "cp932"])
def test_a_declared_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    word = "日本" if encoding in ("cp932", "utf-16") else "Gruß"
    source = Source(format="csv", path="rows.csv", encoding=encoding)
    landing = Landing(tmp_path, text("a"), text("b"), source=source)
    landing.write(f"a,b\nx,{word}\n".encode(encoding)).ingest()
    assert landing.typed("b") == [word]


def test_ragged_rows_are_kept_with_their_text_and_place(tmp_path: Path) -> None:
    rows = [f"{i},{i}" for i in range(1, 11)]
    rows[2] += ",9"
    rows[7] = "8"
    landing = Landing(tmp_path, integer("a"), integer("b")).write("a,b\n" + "\n".join(rows))
    ingested = landing.ingest()
    assert landing.typed("a") == [1, 2, 4, 5, 6, 7, 9, 10]
    assert landing.typed("_row") == landing.typed("a")
    kept = [(row["_row"], row["_text"], row["_reasons"]) for row in landing.rejects()]
    assert kept == [
        (3, "3,3,9", ["3 fields where the header has 2"]),
        (8, "8", ["1 fields where the header has 2"]),
    ]
    assert ingested.rows_read == 10


def test_only_ragged_rows_leave_no_typed_part(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a"), integer("b")).write("a,b\n1\n2\n")
    ingested = landing.ingest()
    assert (ingested.rows_read, ingested.parts) == (2, ())
    assert [row["_text"] for row in landing.rejects()] == ["1", "2"]


def test_a_quote_never_closed_is_refused(tmp_path: Path) -> None:
    content = 'a,b\n1,x\n2,"y\n' + "3,z\n" * 100
    landing = Landing(tmp_path, integer("a"), text("b")).write(content)
    with pytest.raises(SourceError, match="a quote that is opened and never closed"):
        landing.ingest()


def test_line_breaks_and_odd_quotes_inside_values_are_kept(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a"), text("b"))
    landing.write('a,b\n1,"two\nlines, one ""word"""\n2,5" pipe\n')
    landing.ingest()
    assert landing.typed("b") == ['two\nlines, one "word"', '5" pipe']


def test_duplicate_column_names_are_refused(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a"), integer("b")).write("a,b,a\n1,2,3\n")
    with pytest.raises(SourceError, match="column 'a' stands more than once"):
        landing.ingest()


@pytest.mark.parametrize("name", ["_row", "_file", "_reasons", "_text"])
def test_a_name_that_rejects_need_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContractError, match=f"the column name '{name}' is needed"):
        Landing(tmp_path, integer("a"), integer(name)).write(f"a,{name}\n1,2\n").ingest()


def test_blank_lines_before_a_header_of_one_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"rows\.csv"):
        Landing(tmp_path, integer("a")).write("\n\na\n1\n").ingest()


def test_a_column_more_is_left_out_and_told(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a")).write("z,a\n1,2\n")
    assert landing.ingest().notes == (
        "column 'z' is in the source but not in the contract, and was left out",
    )
    assert landing.typed("a") == [2]


@pytest.mark.parametrize(
    "column", [integer("b"), number("b"), text("b"), day("b"), number("b", "decimal128(9, 2)"),
               text("b", "dictionary<string>"),
               Column(name="b", logical_type="boolean", physical_type="bool")],
    ids=lambda column: column.physical_type,
)  # fmt: skip
def test_a_column_of_nothing_keeps_its_type(tmp_path: Path, column: Column) -> None:
    landing = Landing(tmp_path, integer("a"), column).write("a,b\n1,\n2,NA\n3,null\n")
    ingested = landing.ingest()
    assert "column 'b' holds no value in any row" in ingested.notes
    assert landing.typed("b") == [None] * 3
    assert type_text(landing.read("typed")["b"].type) == column.physical_type
    assert landing.proof()["rows_proven"] == 3


def test_infinities_are_rejected_by_name(tmp_path: Path) -> None:
    landing = Landing(tmp_path, number("a"), integer("b"))
    landing.write("a,b\n1.5,1\ninf,2\n-Infinity,3\nINF,4\n1e999,5\n")
    landing.ingest()
    assert landing.typed("b") == [1]
    assert reasons(landing.rejects()) == [["a: infinite"]] * 4


def test_huge_numbers_pass_where_they_fit(tmp_path: Path) -> None:
    columns = (
        number("wide"),
        number("narrow", "float32"),
        integer("whole"),
        number("exact", "decimal128(12, 2)"),
    )
    landing = Landing(tmp_path, *columns)
    landing.write(
        "wide,narrow,whole,exact\n1e300,1,1,1\n1,1e300,1,1\n1,1,1e300,1\n1,1,1,1e300\n1,1,99999999999999999999,1\n"
    )
    landing.ingest()
    assert landing.typed("wide") == [1e300]
    assert reasons(landing.rejects()) == [
        ["narrow: outside float32"],
        ["whole: not an integer"],
        ["exact: not a number"],
        ["whole: outside int64"],
    ]


def test_dates_out_of_range_are_rejected(tmp_path: Path) -> None:
    columns = (
        integer("a"),
        day("d"),
        Column(name="t", logical_type="timestamp", physical_type="timestamp[ns]"),
    )
    landing = Landing(tmp_path, *columns)
    landing.write(
        "a,d,t\n1,2024-02-29,2024-02-29T12:00:00\n2,2023-02-29,2024-01-01\n"
        "3,2024-01-01,1500-01-01\n4,2024-13-01,2024-01-01\n5,10000-01-01,2024-01-01\n"
        "6,0001-01-01,2024-01-01T25:00:00\n"
    )
    landing.ingest()
    assert landing.typed("a") == [1]
    assert [row["a"] for row in landing.rejects()] == ["2", "3", "4", "5", "6"]
    assert all(len(row["_reasons"]) == 1 for row in landing.rejects())
    assert landing.rejects()[1]["_reasons"] == ["t: does not fit timestamp[ns] without loss"]


def test_a_cell_of_a_mebibyte_passes(tmp_path: Path) -> None:
    cell = "x" * (1 << 20)
    landing = Landing(tmp_path, integer("a"), text("b")).write(f"a,b\n1,{cell}\n2,y\n")
    assert landing.proof()["rows_proven"] == 2
    assert [len(value) for value in landing.typed("b")] == [1 << 20, 1]


def test_a_row_larger_than_a_block_is_refused(tmp_path: Path) -> None:
    cell = "x" * (40 << 20)
    landing = Landing(tmp_path, integer("a"), text("b")).write(f"a,b\n1,{cell}\n2,y\n")
    with pytest.raises(SourceError, match="a row of more than 16 MiB"):
        landing.ingest()


def test_names_and_values_of_any_script(tmp_path: Path) -> None:
    names = ("👩‍🚀 age", "שם", "الاسم", 'na"me, \n2')
    quoted = ('"' + name.replace('"', '""') + '"' for name in names)
    strict = [text(name, required=True, pattern=".", unique=True) for name in names[1:]]
    landing = Landing(tmp_path, integer(names[0], minimum=0), *strict)
    landing.write(f"{','.join(quoted)}\n30,דנה,\u202eليلى\u202c,🧪\n".encode())
    assert landing.proof()["rows_proven"] == 1
    assert [landing.typed(name) for name in names] == [[30], ["דנה"], ["\u202eليلى\u202c"], ["🧪"]]


@pytest.mark.parametrize("declared", [True, False])
def test_a_category_of_fifty_thousand_levels(tmp_path: Path, declared: bool) -> None:
    levels = tuple(f"level {i}" for i in range(50_000))
    column = text("b", "dictionary<string>", categories=levels if declared else None)
    landing = Landing(tmp_path, integer("a"), column)
    landing.write("a,b\n" + "".join(f"{i},{level}\n" for i, level in enumerate(levels)))
    assert landing.proof()["rows_proven"] == 50_000
    assert landing.read("proven")["b"].to_pylist() == list(levels)


def test_five_rows_are_proven(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a")).write("a\n1\n2\n3\n4\n5\n")
    assert landing.proof()["rows_proven"] == 5


# In a process of its own, as its limits can't be lifted again.
INGEST = """
import os, resource, sys
from pathlib import Path
from data_contracts.errors import StoreError
from tests.tasks.landing import Landing, integer, text
folder, limit, user = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
landing = Landing(folder, integer("a"), text("b"))
if user:
    os.setuid(user)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    landing.ingest()
except StoreError as error:
    print(error)
    sys.exit(7)
"""


def ingest_elsewhere(
    folder: Path, limit: int = 0, user: int = 0
) -> subprocess.CompletedProcess[str]:
    arguments = [str(folder), str(limit), str(user)]
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", INGEST, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_disk_that_fills_up_is_told_as_such(tmp_path: Path) -> None:
    rows = "".join(f"{i},{os.urandom(20).hex()}\n" for i in range(20_000))
    (tmp_path / "rows.csv").write_text("a,b\n" + rows)
    ended = ingest_elsewhere(tmp_path, limit=100_000)
    assert ended.returncode == 7, ended.stderr
    assert "File too large" in ended.stdout
    assert "Check free space" in ended.stdout
    assert ended.stderr == ""


def test_a_full_file_system_is_told_as_such(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a file system needs rights that we don't have")
    try:
        rows = "".join(f"{i},{os.urandom(20).hex()}\n" for i in range(20_000))
        (tmp_path / "rows.csv").write_text("a,b\n" + rows)
        landing = Landing(tmp_path, integer("a"), text("b"))
        landing.store = Store(str(small))
        with pytest.raises(StoreError, match="No space left on device"):
            landing.ingest()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_read_only_store_is_told_as_such() -> None:
    nobody = 65534 if os.geteuid() == 0 else 0
    # A folder of pytest's can't be entered by the user that root becomes here.
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "rows.csv").write_text("a,b\n1,x\n")
        (folder / "store").mkdir()
        (folder / "store").chmod(0o555)
        folder.chmod(0o755)
        ended = ingest_elsewhere(folder, user=nobody)
    assert ended.returncode == 7, ended.stderr
    assert "Permission denied" in ended.stdout


def test_a_source_without_permission_is_told_as_such(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    landing = Landing(tmp_path, integer("a")).write("a\n1\n")
    (tmp_path / "rows.csv").chmod(0)
    with pytest.raises(SourceError, match="Check its permissions"):
        landing.ingest()
