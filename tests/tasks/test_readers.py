"""Every kind of source read batch by batch, hashed, and guessed."""

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.contract import Source
from data_contracts.errors import SourceError
from tasks.readers import read_ahead, read_batches, read_chunks, sniff_source, source_fingerprint

CSV = "a,b\n1,x\n2,y\n"
ROWS = [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]


def read(source: Source, folder: Path, *columns: str) -> list[dict[str, Any]]:
    batches = read_batches(source, folder, columns or None)
    return [row for batch in batches for row in batch.to_pylist()]


def pack(text: str, packing: str) -> bytes:
    if packing == "plain":
        return text.encode()
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, packing) as stream:
        stream.write(text.encode())
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd", "bz2", "lz4"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows"])
def test_packing_is_told_by_content(tmp_path: Path, packing: str, name: str) -> None:
    (tmp_path / name).write_bytes(pack(CSV, packing))
    assert read(Source(format="csv", path=name), tmp_path) == ROWS


def test_a_gzip_of_several_members_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n") + gzip.compress(b"2,y\n"))
    assert read(Source(format="csv", path="rows.csv.gz"), tmp_path) == ROWS


def test_delimiter_quote_and_null_words_stay_as_written(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a;b\n'1;2';NA\n;1,5\n")
    source = Source(format="csv", path="rows.csv", delimiter=";", quote="'", decimal=",")
    assert read(source, tmp_path) == [{"a": "1;2", "b": "NA"}, {"a": "", "b": "1,5"}]


def test_columns_come_in_the_order_asked_for(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(CSV)
    (batch,) = read_batches(Source(format="csv", path="rows.csv"), tmp_path, ("b", "a"))
    assert batch.schema.names == ["b", "a"]


def test_a_file_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,x\n2,y\n")
    source = Source(format="csv", path="rows.csv", header=False)
    assert read(source, tmp_path, "a", "b") == ROWS
    assert read(source, tmp_path)[0] == {"column_1": "1", "column_2": "x"}
    assert [*next(read_chunks(source, tmp_path)).numbers] == [1, 2]


def test_a_glob_reads_its_files_in_order_of_their_names(tmp_path: Path) -> None:
    for day in (2, 10, 1):
        folder = tmp_path / f"landing/{day:02d}"
        folder.mkdir(parents=True)
        (folder / "part.csv").write_text(f"a\n{day}\n")
        (folder / "_SUCCESS").write_text("")
        (folder / ".part.csv.crc").write_text("x")
    source = Source(format="csv", path="landing/*/*")
    assert [row["a"] for row in read(source, tmp_path)] == ["1", "2", "10"]
    assert next(chunk.file for chunk in read_chunks(source, tmp_path)) == "landing/01/part.csv"
    nested = Source(format="csv", path=str(tmp_path / "landing" / "**" / "*.csv"))
    assert len(read(nested, Path("/"))) == 3
    with pytest.raises(SourceError, match="no file matches"):
        read(Source(format="csv", path="landing/*.txt"), tmp_path)


def test_a_folder_of_files(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    with pytest.raises(SourceError, match="an empty folder"):
        read(Source(format="csv", path="landing"), tmp_path)
    (tmp_path / "landing/one.csv").write_text(CSV)
    assert read(Source(format="csv", path="landing"), tmp_path) == ROWS


def test_a_column_missing_from_a_later_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("a\n2\n")
    with pytest.raises(SourceError, match=r"2\.csv: 1 of the contract's 2 columns missing: 'b'"):
        read(Source(format="csv", path="*.csv"), tmp_path, "a", "b")


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("A, b", "Names differ in case or spaces only"),
        ("x,y", "No name fits"),
        ("a,c", "take them out of the contract"),
        ("a\tb", "declare that delimiter"),
    ],
)
def test_a_header_that_does_not_fit_gets_a_hint(tmp_path: Path, header: str, hint: str) -> None:
    (tmp_path / "rows.csv").write_text(f"{header}\n1,2\n")
    with pytest.raises(SourceError, match=hint):
        read(Source(format="csv", path="rows.csv"), tmp_path, "a", "b")


def test_json_lines_keep_the_digits_of_numbers(tmp_path: Path) -> None:
    lines = [
        '{"a": 1.10, "b": "x"}', "", '{"b": null, "a": 12345678901234567890}', '{"a": true}',
        '{"a": {"deep": [1.50, "x", null]}, "z": 1}', "not json", "[1]", '{"a": NaN}',
        "[" * 100_000,
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    source = Source(format="jsonl", path="rows.jsonl")
    (chunk,) = read_chunks(source, tmp_path, ("a", "b"))
    values = [row["a"] for row in chunk.rows.to_pylist()]
    assert values == ["1.10", "12345678901234567890", "true", '{"deep": [1.50, "x", null]}', "NaN"]
    assert [row["b"] for row in chunk.rows.to_pylist()] == ["x", None, None, None, None]
    assert [*chunk.numbers] == [1, 3, 4, 5, 8]
    assert [(row.number, row.text[:9]) for row in chunk.unreadable] == [
        (6, "not json"), (7, "[1]"), (9, "[[[[[[[[["),
    ]  # fmt: skip
    assert chunk.left_out == ("z",)
    assert read(source, tmp_path)[0] == {"a": "1.10", "b": "x", "z": None}


def test_json_lines_across_groups(tmp_path: Path) -> None:
    count = 120_000
    text = "".join(json.dumps({"a": place}) + "\r\n" for place in range(count))
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    chunks = list(read_chunks(Source(format="jsonl", path="rows.jsonl.gz"), tmp_path, ("a",)))
    assert len(chunks) > 1
    assert [n for chunk in chunks for n in chunk.numbers] == list(range(1, count + 1))
    assert chunks[-1].rows["a"][-1].as_py() == str(count - 1)


@pytest.mark.parametrize("columns", [("a", "b"), ("c",)])
def test_a_key_that_no_line_has_is_a_missing_column(
    tmp_path: Path, columns: tuple[str, ...]
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(SourceError, match="columns missing"):
        read(Source(format="jsonl", path="rows.jsonl"), tmp_path, *columns)


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table({
        "a": pa.array([1, None], pa.int8()),
        "b": pa.array(["x", "y"]).dictionary_encode(),
        "c": pa.array([0, 1], pa.timestamp("ms", tz="UTC")),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "rows.parquet")
    (batch,) = read_batches(Source(format="parquet", path="rows.parquet"), tmp_path, ("c", "a"))
    assert batch.schema.types == [pa.timestamp("ms", tz="UTC"), pa.int8()]


def test_hive_partitions_become_text_columns(tmp_path: Path) -> None:
    for code, kind in (("007", "x%20y"), ("__HIVE_DEFAULT_PARTITION__", "é")):
        folder = tmp_path / f"rows/code={code}/kind={kind}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"a": [1]}), folder / "part.parquet")
    found = read(Source(format="parquet", path="rows"), tmp_path, "kind", "a", "code")
    assert found == [
        {"kind": "x y", "a": 1, "code": "007"}, {"kind": "é", "a": 1, "code": None},
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 90 + b"PAR1", b"a,b\n1,2\n"])
def test_a_damaged_parquet_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.parquet").write_bytes(content)
    with pytest.raises(SourceError, match=r"rows\.parquet") as told:
        read(Source(format="parquet", path="rows.parquet"), tmp_path, "a")
    assert "delimiter" not in str(told.value)


def test_the_fingerprint_follows_names_and_bytes(tmp_path: Path) -> None:
    source = Source(format="csv", path="*.csv")
    (tmp_path / "1.csv").write_text(CSV)
    first = source_fingerprint(source, tmp_path)
    assert first == source_fingerprint(source, tmp_path)
    (tmp_path / "2.csv").write_text(CSV)
    second = source_fingerprint(source, tmp_path)
    (tmp_path / "2.csv").write_text(CSV + "3,z\n")
    third = source_fingerprint(source, tmp_path)
    (tmp_path / "2.csv").rename(tmp_path / "3.csv")
    fourth = source_fingerprint(source, tmp_path)
    assert len({first, second, third, fourth}) == 4
    sql = Source(format="sql", url="sqlite:///rows.db", table="rows")
    assert source_fingerprint(sql, tmp_path) is None


SNIFFED = [
    ("a,b\n1,2\n", {}),
    ("a;b\n1,5;2,25\n", {"delimiter": ";", "decimal": ","}),
    ("a;b\n1.5;2.25\n", {"delimiter": ";"}),
    ("a\tb\nx, y\tz\n", {"delimiter": "\t"}),
    ("a|b\n1|2\n", {"delimiter": "|"}),
    ("'a','b'\n'1,2','3'\n'2,2','3'\n", {"quote": "'"}),
    ("1,2.5\n3,4\n", {"header": False}),
    ("name\nAna\nBen\n", {}),
    (",id,x,g\n0,7,1.5,a\n1,8,,b\n", {}),
    (",name\n0,Ana\n1,Ben\n", {}),
    ("a,b,\n1,x,\n2,y,\n", {}),
    ("a,b,\nu,x,\nv,y,\n", {}),
    ("country,2019,2020\nAT,1.5,2.5\nDE,1,3\n", {}),
    ("country,2019\nAT,15\nDE,30\n", {"header": False}),
    ("id,2019,2020\n1,100,200\n2,150,90\n", {}),
    ("Ana,2000,2001\nBen,1999,1990\n", {"header": False}),
    ("Ana,2000,35\nBen,150,28\n", {"header": False}),
    ("Ana,,Linz\nBen,Bo,Graz\nEva,,Wien\n", {"header": False}),
    ("Ana,NA,3\nBen,4,5\n", {"header": False}),
    ("Ana,Ana\nBen,Ana\nAna,Ben\n", {"header": False}),
    ('"a","b"\n"two\nlines, here",1\n', {}),
    ('"a","b"\n"x",1\n"y,2\n"z",3\n' + '"v",4\n' * 20, {}),
]


@pytest.mark.parametrize(("content", "expected"), SNIFFED, ids=str)
@pytest.mark.parametrize("packing", ["plain", "zstd"])
def test_a_csv_is_guessed(
    tmp_path: Path, content: str, expected: dict[str, Any], packing: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(pack(content, packing))
    found = sniff_source(path)
    assert found == Source.model_validate({"format": "csv", "path": str(path), **expected})
    assert len(read(found, Path())) > 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (",a\n7,x\n", {"column_1": "7", "a": "x"}),
        ("a,b,\n7,x,\n", {"a": "7", "b": "x", "column_3": ""}),
    ],
)
def test_a_column_without_a_name_is_named_by_its_place(
    tmp_path: Path, content: str, expected: dict[str, str]
) -> None:
    (tmp_path / "rows.csv").write_text(content)
    source = Source(format="csv", path="rows.csv")
    assert read(source, tmp_path) == [expected]
    assert read(source, tmp_path, *reversed(expected)) == [expected]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("id,x,x\n1,2,3\n", "at places 2, 3 stands more than once"),
        ("a,,\n1,2,3\n", "no name at places 2, 3"),
        (",column_1\n1,2\n", "at places 1, 2 stands more than once"),
    ],
)
def test_a_header_that_names_no_column_or_two_is_refused(
    tmp_path: Path, content: str, found: str
) -> None:
    (tmp_path / "rows.csv").write_text(content)
    source = sniff_source(tmp_path / "rows.csv")
    assert source.header
    with pytest.raises(SourceError, match=found):
        read(source, Path())


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp1252", "cp1252")],
)
def test_an_encoding_is_guessed(tmp_path: Path, encoding: str, expected: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("name,city\nJürgen,Köln – Süd\n".encode(encoding))
    found = sniff_source(path)
    assert found.encoding == expected
    assert read(found, Path()) == [{"name": "Jürgen", "city": "Köln – Süd"}]


def test_formats_are_guessed(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('{"a": 1}\n{"a": 2}\n')
    pq.write_table(pa.table({"a": [1]}), tmp_path / "rows.dat")
    assert sniff_source(tmp_path / "rows.json").format == "jsonl"
    assert sniff_source(tmp_path / "rows.dat").format == "parquet"


def test_a_json_list_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('[{"a": 1, "b": 2},\n {"a": 3, "b": 4}]')
    with pytest.raises(SourceError, match=r"one JSON list.*JSON Lines"):
        sniff_source(tmp_path / "rows.json")


def test_reading_ahead_hands_on_errors_and_stops_when_left() -> None:
    made: list[int] = []

    def numbers() -> Any:
        for number in range(100):
            made.append(number)
            yield number

    ahead = read_ahead(numbers(), depth=2)
    assert next(iter(ahead)) == 0
    ahead.close()  # type: ignore[attr-defined]
    assert len(made) < 10
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]

    def broken() -> Any:
        yield 1
        raise SourceError("damaged")

    with pytest.raises(SourceError, match="damaged"):
        list(read_ahead(broken()))
