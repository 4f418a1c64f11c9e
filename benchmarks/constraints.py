"""Rules between columns and wishes, all at once, in a million rows: how many are broken.

    python -m benchmarks.constraints [--rows 1000000] [--seed 1] [--options JSON] [--model FOLDER]

The table is Adult, with four columns worked out from its own and the unknown occupations missing,
so that a contract can hold every kind of rule: an ordering, sums of columns and with a number,
a product, a fixed combination, presence on a condition, columns unique together, ranges. Rows are
drawn as in the flow, under a given value, ranges and shares. Whatever rows break is counted by the
checks of `understudy check`, and by pandas beside them. Prints one JSON object as its last line.
"""

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.costs import peak_mib, stopwatch
from benchmarks.landing import DATA
from data_contracts.checks import broken_rows, row_rules
from data_contracts.choice import ModelChoice
from data_contracts.combinations import repeated_rows
from data_contracts.contract import Column, Contract, Source, Table, WrittenRule
from data_contracts.dataset import Dataset
from data_contracts.row_rules import parse_rule
from data_contracts.schema import arrow_schema, to_frame
from models.conditions import Range, Shares
from models.registry import load_generator, resolve
from tasks.sample import Asked, draw, parts_of

RULES = (
    '"school-years" <= age',
    '"capital-gain" - "capital-loss" == "capital-net"',
    '"hours-per-week" + "free-hours" == 168',
    '"hours-per-week" * "education-num" == effort',
    "occupation missing when workclass in ('?', 'Never-worked') else present",
)
UNIQUE = ("fnlwgt", "age", "education", "occupation", "hours-per-week")
RANGES = {"age": (17, 90), "hours-per-week": (1, 99), "education-num": (1, 16)}
SHARES = {"Bachelors": 0.3, "HS-grad": 0.3, "Masters": 0.1}
GIVEN = {
    "sex": "Female",
    "age": Range(25, 60),
    "education": Shares(SHARES),
    "capital-net": Range(-2000, 20000),
    "effort": Range(200, 600),
}


def main() -> None:
    """Fits or loads, draws, and counts."""
    arguments = _arguments()
    data = adult_with_rules()
    table = data.contract.tables[0]
    with stopwatch() as fit:
        if arguments.model and arguments.model.exists():
            generator = load_generator(data.contract, arguments.model)
        else:
            options = json.loads(arguments.options)
            generator = resolve(ModelChoice(name="any_order", options=options))
            generator.fit(data, seed=arguments.seed)
            if arguments.model:
                generator.save(arguments.model)
    asked = Asked(GIVEN).beside(table)
    with stopwatch() as sampling:
        parts = [
            draw(generator, table, part, arguments.seed, asked)
            for part in parts_of(table, arguments.rows, asked)
        ]
    rows = pa.concat_tables(parts)
    told = {
        "rows": rows.num_rows,
        "parts": len(parts),
        "fit": fit,
        "sample": sampling,
        "rows_per_second": round(rows.num_rows / sampling["wall_s"]),
        "peak_mib": peak_mib(),
        "broken": broken(rows, data),
    }
    print(json.dumps({**told, "kept": not any(told["broken"].values())}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Counts broken rules in made rows.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--options", default="{}", help="options of any_order as JSON")
    parser.add_argument("--model", type=Path, help="where the model is, or is saved")
    return parser.parse_args()


def adult_with_rules() -> Dataset:
    """Adult's training rows with the columns that the rules are about."""
    with gzip.open(DATA / "tabular" / "adult_train.csv.gz") as file:
        frame = pd.read_csv(file)
    frame["school-years"] = np.minimum(frame["education-num"] + 6, frame["age"])
    frame["capital-net"] = frame["capital-gain"] - frame["capital-loss"]
    frame["free-hours"] = 168 - frame["hours-per-week"]
    frame["effort"] = frame["hours-per-week"] * frame["education-num"]
    idle = frame["workclass"].isin(["?", "Never-worked"])
    frame = frame[idle == (frame["occupation"] == "?")]
    frame["occupation"] = frame["occupation"].mask(frame["occupation"] == "?")
    frame = frame[~frame.duplicated(list(UNIQUE))]
    contract = Contract(id="constraints", version="1.0.0", tables=(_table(frame),))
    table = contract.tables[0]
    rows = pa.Table.from_pandas(frame, schema=arrow_schema(table), preserve_index=False)
    data = Dataset(contract, {table.name: to_frame(rows)})
    if any(found := broken(rows, data, asked=False).values()):
        raise SystemExit(f"the training rows break their own rules: {found}")
    return data


def _table(frame: pd.DataFrame) -> Table:
    columns = []
    for name in frame.columns:
        whole = pd.api.types.is_integer_dtype(frame[name])
        low, high = RANGES.get(name, (None, None))
        columns.append(
            Column(
                name=name,
                logical_type="integer" if whole else "string",
                physical_type="int64" if whole else "string",
                required=name != "occupation",
                minimum=low,
                maximum=high,
            )
        )
    rules: list[WrittenRule] = []
    for text in RULES:
        rule = parse_rule(text, None)
        assert rule is not None, text
        rules.append(rule)
    return Table(
        name="adult",
        columns=tuple(columns),
        source=Source(format="csv", path="adult.csv"),
        row_rules=tuple(rules),
        fixed_combinations=(("education", "education-num"),),
        unique_together=(UNIQUE,),
    )


def broken(rows: pa.Table, data: Dataset, *, asked: bool = True) -> dict[str, int]:
    """How many rows break each rule of the contract and, if rows were asked for, each wish."""
    table = data.contract.tables[0]
    counts = {rule.text: int(broken_rows(rule, rows).sum()) for rule in row_rules(table)}
    frame = to_frame(rows)
    counts |= {f"by pandas: {name}": int(kept) for name, kept in _by_pandas(frame).items()}
    names = list(table.fixed_combinations[0])
    known = set(data.frame[names].itertuples(index=False, name=None))
    counts["fixed combination"] = sum(
        pair not in known for pair in frame[names].itertuples(index=False, name=None)
    )
    counts["unique together"] = int(repeated_rows(rows, UNIQUE).sum())
    return {**counts, **_wishes(frame)} if asked else counts


def _by_pandas(frame: pd.DataFrame) -> dict[str, Any]:
    """A second judge that shares no code with the contract's checks."""
    idle = frame["workclass"].isin(["?", "Never-worked"])
    net = frame["capital-gain"] - frame["capital-loss"] != frame["capital-net"]
    whole = frame.dropna(subset=list(UNIQUE))
    return {
        "ordering": (frame["school-years"] > frame["age"]).sum(),
        "sum": net.sum(),
        "sum with a number": (frame["hours-per-week"] + frame["free-hours"] != 168).sum(),
        "product": (frame["hours-per-week"] * frame["education-num"] != frame["effort"]).sum(),
        "presence": (frame["occupation"].isna() != idle).sum(),
        "unique": whole.duplicated(list(UNIQUE)).sum(),
    }


def _wishes(frame: pd.DataFrame) -> dict[str, int]:
    shares = frame["education"].value_counts() / len(frame)
    missed = sum(
        abs(float(shares.get(value, 0.0)) - share) > 1e-4 for value, share in SHARES.items()
    )
    return {
        "given value": int((frame["sex"] != "Female").sum()),
        "given range": int((~frame["age"].between(25, 60)).sum()),
        "given range of a sum": int((~frame["capital-net"].between(-2000, 20000)).sum()),
        "given range of a product": int((~frame["effort"].between(200, 600)).sum()),
        "shares missed by more than 0.0001": missed,
    }


if __name__ == "__main__":
    main()
