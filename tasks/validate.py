"""The proof of a table: rules that each row keeps, rules of the whole, and what is too much."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.checks import RowRule, broken_rows, row_rules
from data_contracts.contract import Table
from data_contracts.errors import ProofError
from data_contracts.manifest import ArtifactRef
from data_contracts.masks import Mask
from data_contracts.proof import (
    Ingested,
    ProvenPart,
    ReasonCount,
    RuleCount,
    RuleState,
    add_reasons,
    add_rules,
)
from data_contracts.schema import arrow_schema
from tasks.part_files import restored
from tasks.reject_rows import FILE, ROW, BadRows, Places
from tasks.run import Run
from tasks.storage import Store, store_errors
from tasks.table_rules import TableRules

_ROWS_PER_GROUP = 1 << 20
_EXACT_TYPES = "every column has exactly its declared type"


def prove_part(store: Store, table: Table, part: ArtifactRef, folder: str) -> ProvenPart:
    """Proves the row rules of one typed part: rows that keep all of them, and the others.

    Each rule has two judges: Great Expectations, by a suite compiled from the contract, and an
    exact check in Arrow that names the rows. Where a judge raises, or the two disagree, the rule
    counts as crashed: nothing is known then. Proven rows go to `<folder>/<table>/proven` in exactly
    the contract's schema, others to `<folder>/<table>/rejects` as text, each with every reason.

    Raises StoreError when the store can't be read or written.
    """
    with store_errors(store.display(part.uri)):
        rows = pq.read_table(part.uri, filesystem=store.fs)
    places = Places(rows[FILE].combine_chunks(), rows[ROW].combine_chunks())
    rows = rows.select(list(table.column_names)).combine_chunks()
    rows = restored(rows, arrow_schema(table))
    counts, masks = _judge(table, rows)
    broken = np.zeros(rows.num_rows, dtype=bool)
    for mask in masks.values():
        broken |= mask
    place, name = f"{folder}/{table.name}", part.uri.rsplit("/", 1)[-1]
    rejected = None
    if broken.any():
        bad = BadRows.of(rows, places, masks, broken)
        rejected = _write(store, bad.table, f"{place}/rejects/broken-{name}")
        rows = rows.filter(pa.array(~broken))
    return ProvenPart(
        table=table.name,
        part=_write(store, _with_own_labels(rows, table), f"{place}/proven/{name}"),
        rejects=rejected,
        rows_read=len(broken),
        rows_proven=rows.num_rows,
        rows_rejected=int(broken.sum()),
        rules=tuple(counts),
        reasons=tuple(ReasonCount(rule=rule, rows=int(mask.sum())) for rule, mask in masks.items()),
    )


@task(name="validate_part", task_run_name="validate {table}", cache_policy=NO_CACHE)
def validate_part(run: Run, table: str, part: ArtifactRef, folder: str) -> ProvenPart:
    """Proves the row rules of one part of a table; see `prove_part`."""
    return prove_part(run.open_store(), run.contract.table(table), part, folder)


def _with_own_labels(rows: pa.Table, table: Table) -> pa.Table:
    """The rows with dictionaries of the contract's categories and these rows' own values only.

    Rows that are filtered away leave their labels behind, and Parquet would keep them: what was
    rejected could be read from the files of what was proven.
    """
    for place, column in enumerate(table.columns):
        values = rows.column(place)
        if not pa.types.is_dictionary(values.type):
            continue
        values = values.combine_chunks()
        labels, indices = values.dictionary, values.indices
        used = pc.is_in(pa.array(np.arange(len(labels)), indices.type), indices.unique())
        declared = pa.array([str(value) for value in column.categories or ()], labels.type)
        kept = labels.filter(pc.or_(used, pc.is_in(labels, declared)))
        if len(kept) < len(labels):
            places = pc.index_in(labels, kept).cast(indices.type).take(indices)
            values = pa.DictionaryArray.from_arrays(places, kept, ordered=values.type.ordered)
            rows = rows.set_column(place, rows.schema.field(place), values)
    return rows


def _write(store: Store, rows: pa.Table, path: str) -> ArtifactRef:
    store.make_folder(path.rsplit("/", 1)[0])
    with store_errors(store.display(path)):
        pq.write_table(
            rows, path, filesystem=store.fs, compression="zstd", row_group_size=_ROWS_PER_GROUP
        )
        return store.reference(path, rows.num_rows)


def _judge(table: Table, rows: pa.Table) -> tuple[list[RuleCount], dict[str, Mask]]:
    """Every rule's count, and the rows that break it, for the rules that some row breaks."""
    from data_contracts.expectations import Judgement, judge_rows

    rules = row_rules(table)
    told = judge_rows(rules, rows)
    counts = [_judge_types(table, rows)]
    masks: dict[str, Mask] = {}
    for rule in rules:
        mask, crash = _own_check(rule, rows)
        state: RuleState = "fail" if mask.any() else "pass"
        other = told.get(rule.text, Judgement(state))
        if crash is None and other.state == "crashed":
            crash = other.detail
        if crash is None and other.state != state:
            crash = f"two judges disagree: Great Expectations says {other.state}, Arrow {state}"
        counts.append(
            RuleCount(
                rule=rule.text,
                checked=rows.num_rows,
                broken=int(mask.sum()),
                state=state if crash is None else "crashed",
                detail=crash or "",
            )
        )
        if mask.any():
            masks[rule.text] = masks[rule.text] | mask if rule.text in masks else mask
    return counts, masks


def _own_check(rule: RowRule, rows: pa.Table) -> tuple[Mask, str | None]:
    """The rows that break the rule; and what the check raised, if it did."""
    try:
        return broken_rows(rule, rows), None
    except Exception as error:  # whatever a check raises, it is no verdict on the data
        return np.zeros(rows.num_rows, dtype=bool), f"the check raised {type(error).__name__}"


def _judge_types(table: Table, rows: pa.Table) -> RuleCount:
    """Exact Arrow types, which Great Expectations can't tell: Int64 from int64, us from ns."""
    wrong = [
        declared.name
        for declared, found in zip(arrow_schema(table), rows.schema, strict=True)
        if declared.type != found.type
    ]
    return RuleCount(
        rule=_EXACT_TYPES,
        checked=rows.num_rows,
        broken=rows.num_rows if wrong else 0,
        state="fail" if wrong else "pass",
        scope="table",
        detail=", ".join(wrong),
    )


def prove_tables(
    store: Store, tables: list[Table], proven: dict[str, list[ProvenPart]]
) -> dict[str, list[RuleCount]]:
    """Proves what no single row can: keys, references, numbers of rows, order and freshness.

    Args:
        store: Where the proven parts lie.
        tables: The tables to prove.
        proven: The proven parts of these tables, and of the parents that they refer to.

    Returns:
        The counts of each table's rules, by table name. A check that raised is `crashed`.
    """
    return {table.name: TableRules(store, table, proven).judge() for table in tables}


def proof_of(
    table: Table, ingested: Ingested, parts: list[ProvenPart], table_rules: list[RuleCount]
) -> dict[str, Any]:
    """The proof of one table as JSON: what was read, kept and rejected, and every rule."""
    rules = add_rules(*(part.rules for part in parts), tuple(table_rules))
    reasons = add_reasons(ingested.reasons, *(part.reasons for part in parts))
    return {
        "table": table.name,
        "rows_read": ingested.rows_read,
        "rows_proven": sum(part.rows_proven for part in parts),
        "rows_rejected": ingested.rows_rejected + sum(part.rows_rejected for part in parts),
        "tolerance": table.reject_tolerance,
        "reject_reasons": [reason.model_dump(mode="json") for reason in reasons],
        "rules": [rule.model_dump(mode="json") for rule in rules],
        "notes": list(ingested.notes),
    }


def raise_if_broken(proofs: list[dict[str, Any]]) -> None:
    """Raises ProofError when a table breaks its contract by more than the contract tolerates.

    That is: too large a share of rejected rows, a broken table rule, or a check that crashed. The
    message has counts, columns and rules; never values.
    """
    faults = [fault for proof in proofs for fault in _faults(proof)]
    if faults:
        raise ProofError("The data break the contract. " + " ".join(faults))


def _faults(proof: dict[str, Any]) -> list[str]:
    faults = []
    name, read, rejected = proof["table"], proof["rows_read"], proof["rows_rejected"]
    if rejected > proof["tolerance"] * read:
        most = "; ".join(
            f"{reason['rule']} ({reason['rows']:,})" for reason in proof["reject_reasons"][:5]
        )
        faults.append(
            f"Table {name!r}: {rejected:,} of {read:,} rows rejected ({rejected / read:.2%}), "
            f"tolerated {proof['tolerance']:.2%}: {most}."
        )
    for rule in proof["rules"]:
        detail = f" ({rule['detail']})" if rule["detail"] else ""
        if rule["state"] == "crashed":
            faults.append(
                f"Table {name!r}: the check of rule {rule['rule']!r} crashed, so that nothing is "
                f"known about it{detail}."
            )
        elif rule["state"] == "fail" and rule["scope"] == "table":
            faults.append(
                f"Table {name!r}: rule {rule['rule']!r} broken by {rule['broken']:,} of "
                f"{rule['checked']:,}{detail}."
            )
    return faults
