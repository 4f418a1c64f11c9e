"""Row rules, table rules, the proof as JSON, and what is too much."""

import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.contract import (
    Column,
    Comparison,
    Contract,
    ForeignKey,
    Freshness,
    RequiredWhen,
    Sum,
    Term,
)
from data_contracts.errors import ProofError
from data_contracts.proof import RuleCount
from tasks import key_hashes, part_files
from tasks.key_hashes import hash_rows
from tasks.run import Run
from tasks.validate import prove_tables, raise_if_broken, validate_part
from tests.tasks.landing import Landing, integer, number, text


def broken_rules(proof: dict[str, Any]) -> dict[str, int]:
    return {rule["rule"]: rule["broken"] for rule in proof["rules"] if rule["state"] == "fail"}


def test_rows_that_break_a_rule_go_to_the_rejects_with_every_reason(tmp_path: Path) -> None:
    rule = Comparison(left="a", operator="<=", right="b", name="a before b")
    landing = Landing(
        tmp_path, integer("a", minimum=0), number("b", maximum=10), row_rules=(rule,),
        reject_tolerance=0.75,
    ).write("a,b\n1,2\n-1,-2\n5,99\n3,1\n,\nx,1\n")  # fmt: skip
    proof = landing.proof()
    rejects = {row["_row"]: row["_reasons"] for row in landing.rejects()}
    assert rejects == {
        6: ["a: not an integer"],
        2: ["a: at least 0", "a before b"],
        3: ["b: at most 10"],
        4: ["a before b"],
    }
    assert landing.read("proven").to_pylist() == [{"a": 1, "b": 2.0}, {"a": None, "b": None}]
    assert (proof["rows_read"], proof["rows_proven"], proof["rows_rejected"]) == (6, 2, 4)
    assert broken_rules(proof) == {"a: at least 0": 1, "b: at most 10": 1, "a before b": 2}
    assert proof["reject_reasons"][0] == {"rule": "a before b", "rows": 2}
    raise_if_broken([proof])


def test_rows_that_break_a_sum_or_lack_what_they_need_are_rejected(tmp_path: Path) -> None:
    terms = (Term(column="net"), Term(column="tax"))
    rules = (
        Sum(terms=terms, total="gross"),
        RequiredWhen(column="reason", when="tax", values=(0,), otherwise=True, name="exempt"),
    )
    money = [number(name, "decimal128(9, 2)") for name in ("net", "tax", "gross")]
    landing = Landing(tmp_path, *money, text("reason"), row_rules=rules, reject_tolerance=1)
    landing.write(
        "net,tax,gross,reason\n1.10,2.20,3.30,\n1.10,2.20,3.31,\n5,0,5,abroad\n5,0,5,\n"
        "NA,2,9,\n1,1,3,odd\n"
    )
    proof = landing.proof()
    assert {row["_row"]: row["_reasons"] for row in landing.rejects()} == {
        2: ["net + tax == gross"],
        4: ["exempt"],
        6: ["net + tax == gross", "exempt"],
    }
    assert broken_rules(proof) == {"net + tax == gross": 2, "exempt": 2}
    raise_if_broken([proof])


def test_a_part_of_which_nothing_is_left_is_an_empty_one(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a", minimum=0)).write("a\n-1\n-2\n")
    proof = landing.proof()
    assert (proof["rows_proven"], proof["rows_rejected"]) == (0, 2)
    assert landing.read("proven").num_rows == 0


def test_the_task_proves_a_part(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a", minimum=0)).write("a\n-1\n2\n")
    contract = Contract(id="c", version="1.0.0", tables=(landing.table,), folder=tmp_path)
    run = Run(contract=contract, store=str(tmp_path / "store"), work="w")
    (part,) = landing.ingest().parts
    assert validate_part.fn(run, "rows", part, "work").rows_proven == 1


def test_too_many_rejects_break_the_contract_without_naming_values(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("age", minimum=0), reject_tolerance=0.4)
    landing.write("age\n-77\n-88\n1\nsecret\n")
    with pytest.raises(ProofError) as error:
        raise_if_broken([landing.proof()])
    told = str(error.value)
    assert "Table 'rows': 3 of 4 rows rejected (75.00%), tolerated 40.00%" in told
    assert "age: at least 0 (2); age: not an integer (1)" in told
    assert not [value for value in ("77", "88", "secret") if value in told]


def test_the_tolerance_itself_is_tolerated(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a"), reject_tolerance=0.25).write("a\n1\n2\n3\nx\n")
    raise_if_broken([landing.proof()])


def test_a_crashed_check_breaks_the_contract_whatever_the_tolerance(tmp_path: Path) -> None:
    """A pattern that is no regular expression gets past the record, never past a contract file."""
    landing = Landing(tmp_path, text("a", pattern="("), reject_tolerance=1).write("a\nx\n")
    proof = landing.proof()
    (crashed,) = (rule for rule in proof["rules"] if rule["state"] == "crashed")
    assert (crashed["rule"], crashed["broken"]) == ("a: has its pattern", 0)
    assert "raised" in crashed["detail"]
    with pytest.raises(ProofError, match="check of rule 'a: has its pattern' crashed"):
        raise_if_broken([proof])


def test_judges_that_disagree_prove_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two rules with the same name is broken: neither judge can be told from the other."""
    from data_contracts import expectations
    from data_contracts.expectations import Judgement

    landing = Landing(tmp_path, integer("a", minimum=0)).write("a\n1\n")
    blind = {"a: at least 0": Judgement("fail")}
    monkeypatch.setattr(expectations, "judge_rows", lambda rules, rows: blind)
    with pytest.raises(ProofError, match="two judges disagree"):
        raise_if_broken([landing.proof()])


def test_repeated_keys_are_counted_over_all_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_files, "ROWS_PER_PART", 10)
    monkeypatch.setattr(part_files, "_ROWS_PER_GROUP", 5)
    monkeypatch.setattr(key_hashes, "_HASHES_AT_ONCE", 7)
    landing = Landing(
        tmp_path, integer("a", primary_key=True), text("b", "dictionary<string>", primary_key=True),
        text("c", unique=True), integer("d", unique=True),
    )  # fmt: skip
    rows = [f"{i},x,{i},{i}" for i in range(40)] + ["0,x,40,NA", "0,y,40,NA", "39,x,41,39"]
    landing.write("a,b,c,d\n" + "\n".join(rows))
    proof = landing.proof()
    assert broken_rules(proof) == {"primary key (a, b)": 2, "c: unique": 1, "d: unique": 1}
    with pytest.raises(ProofError, match=r"rule 'primary key \(a, b\)' broken by 2 of 43"):
        raise_if_broken([proof])


def test_columns_unique_together_are_held_to_it_over_all_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_files, "ROWS_PER_PART", 10)
    monkeypatch.setattr(part_files, "_ROWS_PER_GROUP", 5)
    monkeypatch.setattr(key_hashes, "_HASHES_AT_ONCE", 7)
    landing = Landing(
        tmp_path, integer("a"), text("b", "dictionary<string>"), integer("c"),
        unique_together=(("a", "b"), ("c", "b", "a")),
    )  # fmt: skip
    rows = [f"{i % 20},{'xy'[i // 20]},{i}" for i in range(40)]
    landing.write("a,b,c\n" + "\n".join([*rows, "0,x,99", "NA,x,1", "NA,x,1", "19,y,39"]))
    proof = landing.proof()
    assert broken_rules(proof) == {
        "(a, b): unique together": 2, "(c, b, a): unique together": 1,
    }  # fmt: skip
    with pytest.raises(ProofError, match=r"rule '\(a, b\): unique together' broken by 2 of 44"):
        raise_if_broken([proof])


KEYS = st.lists(
    st.tuples(
        st.none() | st.integers(-2, 2),
        st.none() | st.sampled_from(["", "a", "b"]),
        st.none() | st.sampled_from([0.0, -0.0, 1.5]),
    ),
    min_size=1,
    max_size=30,
)


@given(rows=KEYS, bits=st.sampled_from([2, 64]))
@settings(max_examples=40, deadline=None)
def test_repeats_are_counted_exactly_whatever_the_hashes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], bits: int
) -> None:
    """Even with hashes of two bits, where nearly all of them collide."""
    columns = (integer("a"), text("b"), number("c"))
    landing = Landing(tmp_path_factory.mktemp("keys"), *columns)
    lines = (",".join("NA" if value is None else f'"{value}"' for value in row) for row in rows)
    # An empty text must not read as a missing one.
    landing.table = landing.table.model_copy(
        update={"source": landing.table.source.model_copy(update={"null_words": ("NA",)})}
    )
    parts = landing.prove(landing.write("a,b,c\n" + "\n".join(lines)).ingest())
    whole = [row for row in rows if None not in row]
    keys = key_hashes.Keys(landing.store, [part.part for part in parts], ("a", "b", "c"))
    with pytest.MonkeyPatch.context() as patch:
        if bits == 2:
            patch.setattr(key_hashes, "hash_rows", few_hashes)
        assert key_hashes.count_repeated(keys) == len(whole) - len(set(whole))
    assert keys.incomplete() == len(rows) - len(whole)


def few_hashes(rows: pa.Table) -> Any:
    hashed, whole = hash_rows(rows)
    return hashed % 4, whole


@pytest.mark.parametrize("physical", ["string", "large_string", "dictionary<string>"])
def test_references_must_exist(tmp_path: Path, physical: str) -> None:
    parents = Landing(tmp_path, text("id"), integer("n"), name="parents")
    parents.table = parents.table.model_copy(
        update={"source": parents.table.source.model_copy(update={"path": "parents.csv"})}
    )
    parents.write("id,n\na,1\nb,2\n", "parents.csv")
    key = ForeignKey(columns=("parent", "n"), parent="parents", parent_columns=("id", "n"))
    children = Landing(
        tmp_path, text("parent", physical), integer("n"), kind="child", foreign_keys=(key,)
    ).write("parent,n\na,1\nb,2\nb,1\nc,1\n,1\na,1\n")
    proven = {"parents": parents.prove(parents.ingest()), "rows": children.prove(children.ingest())}
    rules = prove_tables(parents.store, [children.table], proven)
    assert rules["rows"] == [
        RuleCount(
            rule="(parent, n) in parents (id, n)", checked=6, broken=2, state="fail", scope="table"
        )
    ]
    crashed = prove_tables(parents.store, [children.table], {"rows": proven["rows"]})
    assert [rule.broken for rule in crashed["rows"]] == [5]


@pytest.mark.parametrize(
    ("options", "broken"),
    [
        ({"min_rows": 3, "max_rows": 3}, {}),
        ({"min_rows": 5}, {"at least 5 rows": 2}),
        ({"max_rows": 1}, {"at most 1 rows": 2}),
    ],
)
def test_the_number_of_rows(
    tmp_path: Path, options: dict[str, int], broken: dict[str, int]
) -> None:
    landing = Landing(tmp_path, integer("a"), **options).write("a\n1\n2\n3\n")
    assert broken_rules(landing.proof()) == broken


@pytest.mark.parametrize(
    ("physical", "zone", "age", "fresh"),
    [
        ("timestamp[s, tz=UTC]", None, 1.9, True),
        ("timestamp[s, tz=UTC]", None, 2.1, False),
        ("timestamp[s]", None, 1.9, True),
        ("timestamp[s]", "Asia/Tokyo", 1.9 - 9, True),
        ("timestamp[s]", "Asia/Tokyo", 2.1 - 9, False),
        ("date32", None, 100, False),
    ],
)
def test_freshness(
    tmp_path: Path, physical: str, zone: str | None, age: float, fresh: bool
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    newest = (now - datetime.timedelta(hours=age)).strftime("%Y-%m-%dT%H:%M:%S")
    newest = newest[:10] if physical == "date32" else newest
    offset = "Z" if "tz=" in physical else ""
    column = Column(
        name="t", logical_type="date" if physical == "date32" else "timestamp",
        physical_type=physical, timezone=zone,
    )  # fmt: skip
    landing = Landing(tmp_path, column, freshness=Freshness(column="t", max_age_hours=2))
    landing.write(f"t\n2020-01-01{'T00:00:00Z' if offset else ''}\n{newest}{offset}\n")
    assert broken_rules(landing.proof()) == ({} if fresh else {"t: newest at most 2 h": 2})


def test_freshness_needs_a_value(tmp_path: Path) -> None:
    column = Column(name="t", logical_type="date", physical_type="date32")
    landing = Landing(
        tmp_path, integer("a"), column, freshness=Freshness(column="t", max_age_hours=2)
    )
    assert broken_rules(landing.write("a,t\n1,\n").proof()) == {"t: newest at most 2 h": 1}


def test_time_that_runs_backwards_breaks_a_panel(tmp_path: Path) -> None:
    """Ingest orders panels: the rule is shown rows of another kind of table, left unordered."""
    columns = (text("m"), integer("t"))
    landing = Landing(tmp_path, *columns).write("m,t\na,1\na,2\nb,1\nb,0\nb,5\nb,4\n")
    proven = {"rows": landing.prove(landing.ingest())}
    panel = landing.table.model_copy(update={"kind": "panel", "entity": "m", "time": "t"})
    (rule,) = prove_tables(landing.store, [panel], proven)["rows"]
    assert (rule.rule, rule.broken) == ("t of each m never runs backwards", 2)
    series = panel.model_copy(update={"kind": "series", "entity": None})
    (rule,) = prove_tables(landing.store, [series], proven)["rows"]
    assert rule.broken == 3


def test_a_table_check_that_raises_is_crashed(tmp_path: Path) -> None:
    landing = Landing(tmp_path, integer("a")).write("a\n1\n")
    proven = {"rows": landing.prove(landing.ingest())}
    wrong = landing.table.model_copy(update={"kind": "series", "time": "gone"})
    (rule,) = prove_tables(landing.store, [wrong], proven)["rows"]
    assert (rule.state, rule.scope) == ("crashed", "table")
    assert rule.detail.startswith("the check raised ")
