"""A drafted contract loads cleanly, proves its own source, and never overwrites a person's work."""

import json
import os
import random
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import ContractError, SourceError
from data_contracts.loading import load_contract
from tasks.draft import Drafted, Wishes, draft_contract_file
from tasks.ingest import ingest_source
from tasks.storage import Store
from tasks.validate import proof_of, prove_part, prove_tables

CITIES = ("Linz", "Graz", "Wien")
DATA = Path(os.environ.get("UNDERSTUDY_DATA", Path(__file__).parents[3] / "shared" / "data"))


def write_lines(path: Path, rows: Iterable[Sequence[Any]], delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [delimiter.join(map(str, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_people(path: Path, first: int = 1, rows: int = 200) -> Path:
    chance = random.Random(first)
    people = [
        (first + n, f"p{first + n}@example.org", chance.choice(CITIES),
         "" if n % 40 == 7 else chance.randint(18, 80), f"{chance.randint(1, 28):02d}.03.2024")
        for n in range(rows)
    ]  # fmt: skip
    return write_lines(path, [("person_id", "email", "city", "age", "joined"), *people])


def write_visits(path: Path, people: int = 200) -> Path:
    visits = [(9000 + n, 1 + n % people, f"{n % 17}.50") for n in range(3 * people)]
    return write_lines(path, [("visit_id", "person_id", "cost"), *visits])


def prove(path: Path, store_folder: Path) -> list[dict[str, Any]]:
    """Ingest and proof of every table that the contract names, and of its holdout's."""
    contract, store = load_contract(path), Store(str(store_folder))
    ingested, parts = {}, {}
    for table in contract.tables:
        ingested[table.name] = ingest_source(store, table, table.source, contract.folder, "main")
        parts[table.name] = [
            prove_part(store, table, part, "main") for part in ingested[table.name].parts
        ]
    rules = prove_tables(store, list(contract.tables), parts)
    proofs = [
        proof_of(table, ingested[table.name], parts[table.name], rules[table.name])
        for table in contract.tables
    ]
    for name, source in contract.holdout.sources.items():
        table = contract.table(name)
        held = ingest_source(store, table, source, contract.folder, "held")
        proven = [prove_part(store, table, part, "held") for part in held.parts]
        proofs.append(proof_of(table, held, proven, []))
    return proofs


def assert_proves_clean(path: Path, store_folder: Path, rows: int) -> None:
    proofs = prove(path, store_folder)
    assert sum(proof["rows_proven"] for proof in proofs) == rows
    for proof in proofs:
        assert proof["rows_rejected"] == 0, proof["reject_reasons"]
        assert [rule for rule in proof["rules"] if rule["state"] != "pass"] == []


def draft(files: Sequence[Path], output: Path, **wishes: Any) -> Drafted:
    return draft_contract_file(tuple(files), output, Wishes(**wishes))


def test_related_tables_with_a_holdout_prove_clean(tmp_path: Path) -> None:
    files = [
        write_people(tmp_path / "landing/people.csv"),
        write_visits(tmp_path / "landing/visits.csv"),
    ]
    held = write_people(tmp_path / "landing/later.csv", first=1000)
    output = tmp_path / "contracts/people.odcs.yaml"
    drafted = draft(files, output, target="people.age", holdout=held)
    contract = load_contract(output)
    people, visits = contract.tables
    assert people.source.path == "../landing/people.csv"
    assert people.target is not None
    assert (people.primary_key, people.unit) == (("person_id",), "person_id")
    assert visits.foreign_keys[0].parent == "people"
    assert contract.holdout.sources["people"].path == "../landing/later.csv"
    assert people.column("joined").format == "%d.%m.%Y"
    assert drafted.confirm == ("people.email",)
    assert "people.email: confirm: looks like e-mail addresses" in drafted.notes
    assert_proves_clean(output, tmp_path / "store", 200 + 600 + 200)


@pytest.mark.parametrize("header", [True, False])
def test_a_first_row_read_as_data_is_told(tmp_path: Path, header: bool) -> None:
    rows = [(n, CITIES[n % 3], n / 4) for n in range(60)]
    file = write_lines(tmp_path / "data.csv", [("", "city", "level")] * header + rows)
    drafted = draft([file], tmp_path / "data.odcs.yaml")
    assert ("data: no header found: first row read as data" in drafted.notes) is not header
    assert_proves_clean(tmp_path / "data.odcs.yaml", tmp_path / "store", 60)


def test_comments_help_whoever_reads_the_file(tmp_path: Path) -> None:
    output = tmp_path / "people.odcs.yaml"
    draft([write_people(tmp_path / "people.csv")], output)
    lines = output.read_text().splitlines()
    assert lines[0] == "# Drafted from people.csv. A person has the last word:"
    assert lines[2] == "# understudy check people.odcs.yaml"
    asked = lines.index("  # confirm: looks like e-mail addresses")
    assert lines[asked + 1] == "  - name: email"


def write_stays(path: Path, broken: int = 0, rows: int = 600) -> Path:
    """Stays of which each ends after it began and costs nights times a rate, but for the last."""
    chance = random.Random(broken)
    stays = []
    for number in range(rows):
        nights, rate, day = chance.randint(1, 9), chance.randint(20, 90), chance.randint(1, 15)
        total = nights * rate + (number >= rows - broken)
        reason = chance.choice(("late", "ill")) if number % 3 == 0 else ""
        stays.append((f"2024-03-{day:02d}", f"2024-03-{day + nights:02d}", nights, rate, total,
                      "void" if number % 3 == 0 else "held", reason))  # fmt: skip
    names = ("begins", "ends", "nights", "rate", "total", "state", "reason")
    return write_lines(path, [names, *stays])


def test_rules_that_hold_are_proposed_with_a_comment_and_prove_clean(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "stays.odcs.yaml"
    drafted = draft([write_stays(tmp_path / "stays.csv")], output)
    (table,) = load_contract(output).tables
    rules = {rule.text for rule in table.row_rules}
    assert rules == {
        "begins <= ends",
        "nights * rate == total",
        "reason present when state == 'void' else missing",
    }
    assert {f'stays: proposes "{rule}": so in all 600 rows' for rule in rules} <= {*drafted.notes}
    lines = output.read_text().splitlines()
    told = next(at for at, line in enumerate(lines) if line.startswith("  # Found in the data"))
    assert lines[told + 1] == "  quality:"
    assert_proves_clean(output, tmp_path / "store", 600)


def test_what_the_holdout_breaks_is_not_proposed(tmp_path: Path) -> None:
    files = [write_stays(tmp_path / "stays.csv")]
    output = tmp_path / "stays.odcs.yaml"
    draft(files, output, holdout=write_stays(tmp_path / "held.csv", broken=2))
    (table,) = load_contract(output).tables
    assert "nights * rate == total" not in [rule.text for rule in table.row_rules]
    assert "begins <= ends" in [rule.text for rule in table.row_rules]
    assert_proves_clean(output, tmp_path / "store", 1200)


def test_the_same_files_give_the_same_bytes_and_nothing_is_overwritten(tmp_path: Path) -> None:
    file, output = write_people(tmp_path / "people.csv"), tmp_path / "people.odcs.yaml"
    draft([file], output)
    first, changed = output.read_bytes(), output.stat().st_mtime_ns
    again = draft([file], output)
    assert again.notes[0] == f"{output} already holds this draft"
    assert (output.read_bytes(), output.stat().st_mtime_ns) == (first, changed)
    output.write_bytes(first + b"# a person's own words\n")
    with pytest.raises(ContractError, match="there is a file already, and it is kept"):
        draft([file], output)
    assert output.read_bytes() == first + b"# a person's own words\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people.csv", "people.odcs.yaml"]


@pytest.mark.parametrize("name", ["parquet", "jsonl", "db", "semicolons", "series"])
def test_every_kind_of_file_proves_clean(tmp_path: Path, name: str) -> None:
    rows = [(n, CITIES[n % 3], None if n % 9 == 0 else n / 4, f"2024-02-{n % 28 + 1:02d}")
            for n in range(300)]  # fmt: skip
    header = ("id", "city", "level", "day")
    if name == "parquet":
        file = tmp_path / "data.parquet"
        columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))
        pq.write_table(pa.table(columns), file)
    elif name == "jsonl":
        file = tmp_path / "data.jsonl"
        file.write_text("".join(json.dumps(dict(zip(header, r, strict=True))) + "\n" for r in rows))
    elif name == "db":
        file = tmp_path / "data.db"
        base = sqlite3.connect(file)
        base.execute("create table cities (id integer, city text, level real, day text)")
        base.executemany("insert into cities values (?, ?, ?, ?)", rows)
        base.commit()
        base.close()
    elif name == "semicolons":
        local = [(n, city, "" if level is None else str(level).replace(".", ","), day)
                 for n, city, level, day in rows]  # fmt: skip
        file = write_lines(tmp_path / "data.csv", [header, *local], ";")
    else:
        steps = [(f"2024-01-01T{n // 60 % 24:02d}:{n % 60:02d}:00", n % 13) for n in range(300)]
        file = write_lines(tmp_path / "data.csv", [("at", "value"), *steps])
    output = tmp_path / "deep/er/data.odcs.yaml"
    draft([file], output)
    (table,) = load_contract(output).tables
    assert table.kind == ("series" if name == "series" else "table")
    assert table.name == "data"
    assert_proves_clean(output, tmp_path / "store", 300)


def test_odd_names_become_ids(tmp_path: Path) -> None:
    odd = tmp_path / "Umsätze 2024 (neu).csv"
    write_lines(odd, [("größe", "x: y", "# z"), *[(n % 7, n % 3, n % 5) for n in range(30)]])
    rejects = write_lines(tmp_path / "rejects.csv", [("a", "b"), *[(1, 2)] * 30])
    output = tmp_path / "draft.odcs.yaml"
    draft([odd, rejects, rejects], output, contract_id="sales")
    contract = load_contract(output)
    assert contract.id == "sales"
    names = [table.name for table in contract.tables]
    assert names == ["Ums_tze_2024_neu", "rejects_table", "rejects_table_2"]
    assert contract.tables[0].column_names == ("größe", "x: y", "# z")
    assert_proves_clean(output, tmp_path / "store", 90)


def test_rows_of_another_width_are_said(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "x.csv", [("a", "b"), *[(1, 2)] * 30, (1, 2, 3)])
    drafted = draft([file], tmp_path / "x.odcs.yaml")
    assert any("1 rows have too few or too many fields" in note for note in drafted.notes)


def test_lines_that_are_no_objects_are_said(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"a": 1}\n' * 30 + '{"a": \n[1, 2]\n')
    drafted = draft([file], tmp_path / "x.odcs.yaml")
    assert any("2 lines are no JSON objects and were left out" in note for note in drafted.notes)


def test_a_title_above_the_header_is_refused(tmp_path: Path) -> None:
    lines = "".join(f"{row},{row % 3}\n" for row in range(50))
    (tmp_path / "titled.csv").write_text(f"# exported yesterday\na,b\n{lines}")
    with pytest.raises(SourceError, match=r"51 of 51 rows .* take them out"):
        draft_contract_file((tmp_path / "titled.csv",), tmp_path / "t.odcs.yaml", Wishes())
    assert not (tmp_path / "t.odcs.yaml").exists()


def test_wishes_that_cannot_be_met_are_refused(tmp_path: Path) -> None:
    file, output = write_people(tmp_path / "people.csv"), tmp_path / "people.odcs.yaml"
    with pytest.raises(ContractError, match="Did you mean 'age'"):
        draft([file], output, target="aeg")
    with pytest.raises(ContractError, match="its columns are those of 0 tables"):
        draft([file], output, holdout=write_visits(tmp_path / "visits.csv"))
    with pytest.raises(ContractError, match=r"id \'\.\./up\': no name for a folder"):
        draft([file], output, contract_id="../up")
    with pytest.raises(ContractError, match="No files"):
        draft([], output)
    with pytest.raises(SourceError, match="no such file"):
        draft([tmp_path / "absent.csv"], output)
    assert not output.exists()


def test_an_output_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    file = write_people(tmp_path / "people.csv")
    with pytest.raises(ContractError, match="cannot be written"):
        draft([file], file / "people.odcs.yaml")


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not here")
def test_a_census_with_its_holdout_proves_clean(tmp_path: Path) -> None:
    file, held = (DATA / f"tabular/adult_{part}.csv.gz" for part in ("train", "holdout"))
    output = tmp_path / "adult.odcs.yaml"
    draft([file], output, target="income", holdout=held)
    assert_proves_clean(output, tmp_path / "store", 2 * 24_421)
