"""A small table of mixed types whose columns are independent, and a contract for it."""

import csv
from pathlib import Path

import numpy as np

from data_contracts.choice import ModelChoice
from data_contracts.contract import Bars, Column, Contract, Source, Table
from data_contracts.loading import dump_contract

ROWS = 1500
COLUMNS = (
    Column(
        name="id", logical_type="integer", physical_type="int64", required=True, unique=True,
        primary_key=True, role="identifier", identifier_kind="key",
    ),
    Column(name="age", logical_type="integer", physical_type="int16", minimum=0, maximum=130),
    Column(name="income", logical_type="number", physical_type="decimal128(12, 2)"),
    Column(
        name="region", logical_type="string", physical_type="dictionary<string>",
        categories=("north", "south", "west"), required=True,
    ),
    Column(name="member", logical_type="boolean", physical_type="bool"),
    Column(name="joined", logical_type="date", physical_type="date32"),
    Column(
        name="seen", logical_type="timestamp", physical_type="timestamp[ms, tz=Europe/Vienna]",
        timezone="Europe/Vienna",
    ),
)  # fmt: skip


def write_people(folder: Path, generator: str = "independent", rows: int = ROWS) -> Path:
    """Writes `people.csv` and `people.odcs.yaml` into the folder; returns the contract's path.

    One row of the file breaks the rule on age, which is within the contract's tolerance.
    """
    write_rows(folder / "people.csv", rows)
    table = Table(
        name="people",
        columns=COLUMNS,
        source=Source(format="csv", path="people.csv"),
        min_rows=10,
    )
    contract = Contract(
        id="people",
        version="1.0.0",
        tables=(table,),
        generator=ModelChoice(name=generator),
        bars=Bars(detection_auc=0.8, shape_ratio=3, trend_ratio=3, leak_share=0.1),
    )
    path = folder / "people.odcs.yaml"
    path.write_text(dump_contract(contract), encoding="utf-8")
    return path


def write_rows(path: Path, rows: int = ROWS, seed: int = 0) -> None:
    """Writes a landing file of independent columns with some missing cells."""
    random = np.random.default_rng(seed)
    days = np.datetime64("2020-01-01") + random.integers(0, 1500, rows)
    seconds = np.datetime64("2023-01-01T00:00:00") + random.integers(0, 10**7, rows)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([column.name for column in COLUMNS])
        for row in range(rows):
            age = 200 if row == rows // 2 else int(random.integers(18, 80))
            income = f"{random.lognormal(8, 1):.2f}"
            writer.writerow([
                row + 1,
                age if random.random() > 0.05 or age == 200 else "",
                income,
                random.choice(["north", "south", "west"], p=[0.6, 0.3, 0.1]),
                random.choice(["true", "false"]),
                days[row],
                seconds[row],
            ])  # fmt: skip
