"""What one run of a flow is about, and what it cost."""

import contextlib
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

from pydantic import Field

from data_contracts.contract import Contract
from data_contracts.contradictions import find_contradictions
from data_contracts.errors import ContractError, UnderstudyError, problem
from data_contracts.faults import Faults, build
from data_contracts.loading import load_contract
from data_contracts.record import Record
from data_contracts.safe_yaml import plain
from models.registry import REGISTRY
from tasks.storage import Store

GeneratorName = Annotated[str, Field(json_schema_extra={"enum": sorted(REGISTRY)})]


class Run(Record):
    """The contract that a run serves, the store it writes to, and its own work folder there."""

    contract: Contract
    store: str
    work: str

    def open_store(self) -> Store:
        return Store(self.store)


class Outcome(Record):
    """What a run ended with: the last line of the command with --json."""

    state: str
    contract: str
    release: str | None = None
    report: str | None = None
    model: str | None = None
    reused: bool = False
    reasons: tuple[str, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)
    peak_mib: float | None = None


class NotPublishedError(UnderstudyError):
    """A release was made and judged, and the judgement was not to publish it."""

    def __init__(self, outcome: Outcome) -> None:
        # A line for each reason: a small table has many of them.
        lines = (f"Release {outcome.state}:", *(f"  {reason}" for reason in outcome.reasons))
        super().__init__("\n".join((*lines, f"Report: {outcome.report}")))
        self.outcome = outcome
        self.exit_code = 3 if outcome.state == "refused" else 4


class Changes(Record):
    """What a run does otherwise than its contract says; what is left empty stays as contracted."""

    # Prefect's form of a run shows these fields with their descriptions.
    rows: int | None = Field(default=None, ge=1, description="Synthetic rows to make.")
    seed: int | None = Field(
        default=None, ge=0, description="Another seed: another split, training and sample."
    )
    generator: GeneratorName | None = Field(default=None, description="The model that is trained.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of the model, such as epochs. Where a generator is named above, they "
        "replace the contract's options, otherwise they are added to them.",
    )

    def joined(self, settings: dict[str, Any] | None) -> dict[str, Any]:
        """The changes and `settings` as settings; ContractError for a value given in both."""
        named = {"sampling.rows": self.rows, "sampling.seed": self.seed}
        changed: dict[str, Any] = {k: value for k, value in named.items() if value is not None}
        if self.generator is not None:
            changed |= {"generator.name": self.generator, "generator.options": dict(self.options)}
        else:
            changed |= {f"generator.options.{key}": value for key, value in self.options.items()}
        twice = sorted(changed.keys() & (settings or {}).keys())
        if twice:
            raise ContractError(
                f"{', '.join(twice)}: given in `changes` and in `settings`. Give it once."
            )
        return {**changed, **(settings or {})}


AS_CONTRACTED = Changes()


class Stages:
    """Wall-clock seconds by stage of a run; an error that ends it takes them along.

    A context around all stages; `seconds_before` finds them at the error.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            vars(error)["seconds"] = self.seconds

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to the stage `name`, also when the stage fails."""
        started = time.monotonic()
        try:
            yield
        finally:
            spent = self.seconds.get(name, 0.0) + time.monotonic() - started
            self.seconds[name] = round(spent, 3)


def seconds_before(error: BaseException) -> dict[str, float]:
    """Seconds by stage that a run had spent when `error` ended it, the failed stage included."""
    found = vars(error).get("seconds")
    return dict(found) if isinstance(found, dict) else {}


def flow_run_name() -> str:
    """What Prefect calls a run: its flow and the contract that it serves."""
    from prefect.runtime import flow_run

    contract = Path(str(flow_run.parameters["contract"]))
    return f"{flow_run.flow_name} {contract.name.removesuffix('.yaml').removesuffix('.odcs')}"


def peak_mib() -> float:
    """Most memory that this process ever held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def agree(contract: Path, settings: dict[str, Any] | None = None) -> Contract:
    """The contract in a file, with `settings` ("path.in.it": value) put in its place.

    Raises ContractError for a contract that is wrong, or a setting that the contract has no place
    for.
    """
    agreed = load_contract(contract)
    return apply_settings(agreed, settings) if settings else agreed


def apply_settings(contract: Contract, settings: dict[str, Any]) -> Contract:
    """A copy of the contract with values changed, checked like one read from a file.

    A key is a dotted path such as `sampling.rows` or `generator.options.epochs`. Raises
    ContractError with every setting that has no place, or that the contract cannot have.
    """
    faults = Faults()
    agreed = contract.model_dump(mode="json")
    changed = contract.model_dump(mode="json")
    for path, value in settings.items():
        parent, last = _place(changed, path)
        parent[last] = plain(value, f"--set {path}", faults)
    made = build(Contract, changed, lambda field: f"--set {field}", faults, agreed)
    for fault in find_contradictions(made):
        faults.add(*fault)
    if faults.found:
        raise ContractError("\n".join(problem(*fault) for fault in faults.found))
    return made.model_copy(update={"folder": contract.folder})


def _place(contract: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """The mapping inside a dumped contract that a dotted path leads to, and the key in it."""
    *parents, last = path.split(".")
    place: Any = contract
    for key in parents:
        if not isinstance(place, dict) or key not in place:
            raise ContractError(f"--set {path}: {key!r} is no part of the contract here.")
        place = place[key]
    if not isinstance(place, dict) or (last not in place and parents[-1:] != ["options"]):
        known = ", ".join(sorted(place)) if isinstance(place, dict) else "nothing"
        raise ContractError(f"--set {path}: no {last!r} here; there is {known}.")
    return place, last
