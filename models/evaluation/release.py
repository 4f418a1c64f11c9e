"""All figures of a candidate release's quality: fidelity, detection, utility, and pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data_contracts.dataset import Dataset
from data_contracts.report import Finding
from models.base import ProgressCallback
from models.evaluation.coded import CodedTable, code_table
from models.evaluation.detection import evaluate_detection
from models.evaluation.fidelity import evaluate_fidelity
from models.evaluation.keys import evaluate_keys
from models.evaluation.pictures import table_pictures
from models.evaluation.support import evaluate_support
from models.evaluation.utility import evaluate_utility

STAGES = 3


@dataclass(frozen=True)
class Evaluated:
    """The findings of all tables, and what the report draws, as JSON-able values."""

    findings: tuple[Finding, ...]
    pictures: dict[str, Any]


def evaluate_release(
    training: Dataset,
    synthetic: Dataset,
    holdout: Dataset,
    *,
    seed: int,
    progress: ProgressCallback | None = None,
) -> Evaluated:
    """Judges every table of the contract by its bars.

    The three datasets keep the same contract; `holdout` holds units that no fit has seen. The same
    rows and the same seed give the same findings, whatever the number of threads.
    """
    contract = training.contract
    findings: list[Finding] = []
    tables: list[dict[str, Any]] = []
    for number, table in enumerate(contract.tables):
        tell = _Teller(progress, number * STAGES, len(contract.tables) * STAGES)
        coded = code_table(
            table,
            contract.bars,
            {
                "training": training.tables[table.name],
                "synthetic": synthetic.tables[table.name],
                "holdout": holdout.tables[table.name],
            },
            seed + number,
        )
        found, picture = _evaluate_table(coded, tell)
        findings += (*found, *evaluate_keys(synthetic, table))
        tables.append(picture)
    return Evaluated(tuple(findings), {"tables": tables})


def _evaluate_table(
    coded: CodedTable, tell: Callable[[], None]
) -> tuple[tuple[Finding, ...], dict[str, Any]]:
    fidelity = evaluate_fidelity(coded)
    tell()
    detection = evaluate_detection(coded)
    tell()
    utility = evaluate_utility(coded)
    tell()
    support = evaluate_support(coded)
    findings = (*fidelity.findings, *support, *detection.findings, *utility)
    return findings, table_pictures(fidelity, detection)


class _Teller:
    """Counts finished stages and tells the share that is done."""

    def __init__(self, progress: ProgressCallback | None, done: int, stages: int) -> None:
        self._progress, self._done, self._stages = progress, done, stages

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done / self._stages, {})
