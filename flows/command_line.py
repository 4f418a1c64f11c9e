"""The command `understudy`: what people and scripts type. Stable: others script it.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by a gate, 4 inconclusive. Heavy imports stay
inside the commands, so that `understudy --help` is there at once.
"""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data_contracts.errors import ContractError, UnderstudyError
from flows import model_commands, sharing_commands
from flows.sharing_commands import refuse_keys, without_keys

if TYPE_CHECKING:
    from tasks.prove import Ingest

app = typer.Typer(
    name="understudy",
    help="Synthetic data that must earn its release: a contract in, a judged table out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
model_commands.register(app)
sharing_commands.register(app)

StoreOption = Annotated[str, typer.Option("--store", help="Folder or object-store URI.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Last line of output: one JSON object.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Replace a value of the contract."),
]
ContractArgument = Annotated[Path, typer.Argument(metavar="CONTRACT", show_default=False)]

FLOWS = {
    "synthesize-dataset": "synthesize_dataset",
    "prove-dataset": "prove_dataset",
    "share-representation": "share_representation",
}


@app.command()
def demo(
    store: StoreOption = "./store", as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Run the whole story on two small real data sets: prove a series, synthesise a survey."""
    with _session(as_json, debug):
        from tasks.demo_landing import write_demo_landing

        root = Path(__file__).resolve().parent.parent
        for path in write_demo_landing(root / "landing"):
            _say(f"wrote {path}")
        _check(root / "data_contracts/co2.odcs.yaml", store)
        _run("synthesize-dataset", root / "data_contracts/fair.odcs.yaml", store, {})


@app.command()
def init(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="CONTRACT")],
    holdout: Annotated[Path | None, typer.Option(help="A table of its own as holdout.")] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    contract_id: Annotated[str | None, typer.Option("--id", help="Id of the contract.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Draft a contract from data; a person confirms what it guessed."""
    with _session(as_json, debug):
        from tasks.draft import Wishes, draft_contract_file

        wishes = Wishes(contract_id=contract_id, target=target, holdout=holdout)
        drafted = draft_contract_file(tuple(files), output, wishes)
        for line in drafted.notes:
            _say(line)
        _say(
            f"wrote {output}: read it, confirm the marked columns, then: understudy check {output}"
        )
        _finish(state="drafted", contract=str(output), confirm=list(drafted.confirm))


@app.command()
def check(
    contract: ContractArgument,
    against: Annotated[Path | None, typer.Option(metavar="OLD", help="An older version.")] = None,
    store: StoreOption = "./store",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Lint a contract and prove its source, without training; or compare it with an older one."""
    with _session(as_json, debug):
        if against is None:
            _finish(**_check(contract, store))
        else:
            _compare(against, contract)


@app.command()
def run(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help=" | ".join(FLOWS))],
    contract: ContractArgument,
    settings: SetOption = None,
    store: StoreOption = "./store",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Run a flow for a contract, here and now."""
    with _session(as_json, debug):
        if flow not in FLOWS:
            raise ContractError(f"{flow!r} is no flow. There is: {', '.join(FLOWS)}.")
        _run(flow, contract, store, _pairs(without_keys(settings), "--set"))


@app.command()
def gate(
    contract: ContractArgument,
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE.parquet", show_default=False)],
    model: Annotated[
        str | None, typer.Option(help="Name of what made it: further candidates of it are retries.")
    ] = None,
    store: StoreOption = "./store",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:  # fmt: skip
    """Judge any synthetic table by the privacy gate, whoever made it."""
    with _session(as_json, debug):
        from flows.prove_dataset import prove_here
        from tasks.candidate import judge_candidate
        from tasks.run import agree

        ingest = prove_here(contract, store)
        outcome = judge_candidate(agree(contract), ingest, store, candidate, model)
        for name, state in outcome.tests.items():
            _say(f"{state:<12} {name}")
        _say(f"{outcome.state}: {candidate}; exact figures, to be kept inside: {outcome.record}")
        _finish(**outcome.model_dump(mode="json"))


@app.command()
def releases(
    contract: ContractArgument,
    store: StoreOption = "./store",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the releases of a contract, oldest first."""
    with _session(as_json, debug):
        from data_contracts.loading import load_contract
        from tasks.publish import list_releases
        from tasks.storage import Store

        opened, contract_id = Store(store, for_reading=True), load_contract(contract).id
        found = list_releases(opened, contract_id)
        if not found:
            _say(f"no release of contract {contract_id!r} in store {opened.display('')}")
        for release in found:
            mark = "*" if release["latest"] else " "
            count = ", ".join(f"{name} {rows:,}" for name, rows in release["rows"].items())
            _say(f"{mark} {release['release']}  {release['verdict']:<12} {count or '-'}")
        keys = ("release", "verdict", "created", "rows", "latest", "model", "content")
        listed = [
            {**{key: release[key] for key in keys}, "path": opened.display(release["path"])}
            for release in found
        ]
        _finish(state="listed", releases=listed)


@app.command()
def deploy(debug: DebugOption = False) -> None:
    """Register every deployment of prefect.yaml with the Prefect server in use."""
    with _session(False, debug):
        import subprocess

        root = Path(__file__).resolve().parent.parent
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
        if subprocess.run(command, cwd=root, check=False).returncode:
            raise UnderstudyError(
                "prefect deploy failed. Is a server running and PREFECT_API_URL set?"
            )


def main() -> None:
    """Entry point of the command."""
    app()


_answer: dict[str, Any] = {}


@contextlib.contextmanager
def _session(as_json: bool, debug: bool) -> Iterator[None]:
    """Quiet Prefect, errors as sentences, and with --json the answer as the last line."""
    _quiet(debug)
    _answer.clear()
    code = 0
    try:
        yield
    except UnderstudyError as error:
        code = error.exit_code
        _fail(error, debug)
    except KeyboardInterrupt:
        code = 1
        _fail(UnderstudyError("Interrupted. Run again: what was committed is re-used."), False)
    except Exception as error:
        code = 1
        _fail(error, debug)
    if as_json:
        sys.stdout.write(json.dumps(_answer, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
    if code:
        raise typer.Exit(code)


def _fail(error: Exception, debug: bool) -> None:
    outcome = getattr(error, "outcome", None)
    if outcome is not None:
        _answer.update(outcome.model_dump(mode="json"))
    _answer.setdefault("state", "failed")
    _answer["error"] = str(error)
    if debug:
        traceback.print_exception(error)
    elif isinstance(error, UnderstudyError):
        sys.stderr.write(f"understudy: {error}\n")
    else:
        sys.stderr.write(
            f"understudy: unexpected {type(error).__name__}: {error}. This is a defect of "
            "Understudy; run again with --debug for the traceback.\n"
        )


def _quiet(debug: bool) -> None:
    """No telemetry, no chatter: set before Prefect and Great Expectations are imported."""
    quiet = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        "PREFECT_LOGGING_LEVEL": "INFO" if debug else "CRITICAL",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
        "GX_ANALYTICS_ENABLED": "false",
    }
    for name, value in quiet.items():
        os.environ.setdefault(name, value)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _finish(**answer: Any) -> None:
    _answer.update(answer)


def _run(flow: str, contract: Path, store: str, settings: dict[str, Any]) -> None:
    import importlib

    from tasks.run import Outcome, peak_mib, seconds_before

    _finish(**Outcome(state="failed", contract=str(contract)).model_dump(mode="json"))
    refuse_keys(settings)
    name = FLOWS[flow]
    run_flow = getattr(importlib.import_module(f"flows.{name}"), name)
    try:
        result = run_flow(contract, store, settings=settings)
    except BaseException as error:
        _finish(seconds=seconds_before(error), peak_mib=peak_mib())
        raise
    answer = result.model_dump(mode="json")
    if flow == "prove-dataset":
        _say_proof(result, store)
        answer = {"state": "proven", **answer}
    else:
        seconds = " ".join(f"{stage} {spent:.0f} s" for stage, spent in result.seconds.items())
        _say(f"{result.state}{' (unchanged, re-used)' if result.reused else ''}: {seconds}")
        _say(f"release {result.release}")
        _say(f"report  {result.report}")
    _finish(**answer)


def _check(contract: Path, store: str) -> dict[str, Any]:
    from flows.prove_dataset import prove_here

    ingest = prove_here(contract, store)
    _say_proof(ingest, store)
    return {"state": "proven", **ingest.model_dump(mode="json")}


def _say_proof(ingest: "Ingest", store: str) -> None:
    """What was proven and rejected, why, and where the rejected rows are."""
    from tasks.prove import REJECTS
    from tasks.storage import Store

    opened = Store(store, for_reading=True)
    for table in ingest.proof["tables"]:
        name = table["table"]
        _say(
            f"{name}: {table['rows_proven']:,} of {table['rows_read']:,} rows keep the "
            f"contract, {table['rows_rejected']:,} rejected"
        )
        for reason in table["reject_reasons"]:
            _say(f"  {reason['rows']:,} rejected: {reason['rule']}")
        if table["rows_rejected"]:
            _say(f"  rejects {opened.display(f'{ingest.path}/{REJECTS}/{name}')}")
        for note in table["notes"]:
            _say(f"  note: {note}")


def _compare(old: Path, new: Path) -> None:
    from data_contracts.compatibility import breaking_changes
    from data_contracts.loading import load_contract

    changes = breaking_changes(load_contract(old), load_contract(new))
    for change in changes:
        _say(f"{'BREAKS' if change.breaking else 'fine  '} {change.path}: {change.text}")
    broken = [change for change in changes if change.breaking]
    _say(f"{len(broken)} of {len(changes)} changes break readers")
    _finish(state="breaking" if broken else "compatible", changes=[c.model_dump() for c in changes])
    if broken:
        raise UnderstudyError(f"{len(broken)} changes break readers of {old}.")


def _texts(pairs: list[str] | None, option: str) -> dict[str, str]:
    """`["a=b"]` as `{"a": "b"}`; ContractError for no pair, or a name twice."""
    found: dict[str, str] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ContractError(f"{option} {pair!r}: write it as NAME=VALUE.")
        if name in found:
            raise ContractError(f"{option} {name}: given more than once. Give one value.")
        found[name] = value
    return found


def _pairs(pairs: list[str] | None, option: str) -> dict[str, Any]:
    """The same with values read as YAML: numbers, booleans, null, text, [lists], {mappings}."""
    texts = _texts(pairs, option)
    return {name: _yaml_value(text, f"{option} {name}") for name, text in texts.items()}


def _yaml_value(text: str, where: str) -> Any:
    from data_contracts.safe_yaml import parse_mapping

    # On a line of its own below its key, so that a mapping may stand there as well.
    value = parse_mapping(f"value:\n {text}", where)["value"]
    if value is None and text.strip().lower() not in ("null", "~"):
        raise ContractError(f"{where}: no value. Give one, or write null for none.")
    return value


if __name__ == "__main__":
    main()
