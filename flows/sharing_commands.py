"""The commands of those who share codes, of those who receive codes or releases, and for keys.

Keys are named, never typed: `file:PATH` (or a path), `env:NAME`, or an installed key service.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data_contracts.errors import ContractError, StoreError
from data_contracts.share import is_written_out

if TYPE_CHECKING:
    from tasks.sealing_keys import KeyService

keys = typer.Typer(help="Make keys of sealed parcels, and change who opens one.")

ParcelArgument = Annotated[Path, typer.Argument(metavar="PARCEL", show_default=False)]
KeyOption = Annotated[
    str, typer.Option("--key", metavar="KEY", help="A key file, env:NAME or SERVICE:NAME.")
]
NewKeyOption = Annotated[
    str, typer.Option("--to", metavar="KEY", help="The key that opens it from now on.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Last line of output: one JSON object.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def register(app: typer.Typer) -> None:
    """Puts these commands beside the others."""
    app.command()(verify)
    app.command(name="open")(open_sealed)
    app.command()(decode)
    app.add_typer(keys, name="key")


def refuse_keys(settings: dict[str, Any]) -> None:
    """ContractError where a setting is a key itself: settings are kept with the flow's run."""
    for path, value in settings.items():
        if any(is_written_out(text) for text in (path, *_texts_in(value))):
            shown = "" if is_written_out(path) else f" {path}"
            raise ContractError(
                f"--set{shown}: a key is written out. It is no secret any more: make a new one, "
                "and name its file or variable."
            )


def without_keys(pairs: list[str] | None) -> list[str]:
    """The settings as they were typed; ContractError for a key, before an error repeats them."""
    for pair in pairs or []:
        name, _, value = pair.partition("=")
        refuse_keys({name: value})
    return pairs or []


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    for one in inner if isinstance(inner, list) else ():
        yield from _texts_in(one)


def _key(reference: str) -> "KeyService":
    """The key that is named, with a word on a key file that others can read."""
    from tasks.sealing_keys import key_from, read_by_others

    key = key_from(reference)
    if (path := read_by_others(reference)) is not None:
        sys.stderr.write(
            f"note: others can read or change key file {path}. To stop that: chmod 600 {path}\n"
        )
    return key


def verify(
    release: Annotated[str, typer.Argument(metavar="FOLDER_OR_URI", show_default=False)],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check a release, wherever it was copied to: every file is there and as it was published."""
    from flows.command_line import _finish, _say, _session

    with _session(as_json, debug):
        from tasks.verify import verify_folder

        found = verify_folder(release)
        state = "changed" if found.wrong else "verified"
        _finish(state=state, **found.model_dump(mode="json"))
        if found.wrong:
            told = "".join(f"\n  {line}" for line in found.wrong)
            raise StoreError(
                f"{release}: not as it was published:{told}\nDon't use it. Copy it anew, or ask "
                "who published it."
            )
        _say(f"verified: {found.files} files of release {found.release}, {found.verdict}")


def open_sealed(
    parcel: ParcelArgument,
    key: KeyOption,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.parquet")],
    table: Annotated[str | None, typer.Option(help="Of a parcel with several tables.")] = None,
    release: Annotated[str | None, typer.Option(help="Refuse a parcel of any other one.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Open a sealed parcel with the key that it was sealed for."""
    from flows.command_line import _finish, _say, _session

    with _session(as_json, debug):
        from tasks.unsealing import open_parcel

        opened = open_parcel(parcel, _key(key), output, table=table, release=release)
        _say(f"release {opened.release}, sealed for {opened.recipient}")
        _say(f"wrote {opened.rows:,} rows to {output}")
        _finish(state="opened", **opened.model_dump(mode="json"))


def decode(
    contract: Annotated[Path, typer.Argument(metavar="CONTRACT", show_default=False)],
    codes: Annotated[Path, typer.Argument(metavar="CODES.parquet", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.parquet")],
    store: Annotated[str, typer.Option("--store", help="Folder or object-store URI.")] = "./store",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Read rows back from opened codes, as the holder of the contract's `share.holder` key."""
    from flows.command_line import _finish, _say, _session

    with _session(as_json, debug):
        from tasks.decode_codes import decode_codes
        from tasks.run import agree

        rows = decode_codes(codes, agree(contract), store, output)
        _say(f"wrote {rows:,} rows to {output}, as far as the codes hold them")
        _finish(state="decoded", output=str(output), rows=rows)


@keys.command(name="new")
def new_key(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE")],
    age: Annotated[bool, typer.Option(help="An age key pair: others seal with its half.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a key file that only its owner can read. The key itself is never printed."""
    from flows.command_line import _finish, _say, _session

    with _session(as_json, debug):
        from tasks.sealing_keys import key_from, new_age_key, new_symmetric_key, write_key

        secret, public = new_age_key() if age else (new_symmetric_key(), None)
        if not write_key(output, secret):
            raise StoreError(
                f"{output}: exists already, and keys are not overwritten. Name another."
            )
        name = key_from(f"file:{output}").key_id()
        _say(f"wrote {output}: key {name}")
        if public is not None:
            _say(f"public {public}")
        _finish(state="made", output=str(output), key=name, public=public)


@keys.command()
def rewrap(
    parcel: ParcelArgument,
    key: KeyOption,
    to: NewKeyOption,
    keep: Annotated[bool, typer.Option(help="The old keys still open it too.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Let another key open a parcel; its data stay as they are."""
    from flows.command_line import _finish, _say, _session

    with _session(as_json, debug):
        from tasks.changing_keys import rewrap as rewrap_parcel

        seal = rewrap_parcel(parcel, _key(key), _key(to), keep=keep)
        opens = [one.key for one in seal.keys]
        _say(f"{parcel}: opens with key {', '.join(opens)}")
        _finish(state="rewrapped", parcel=str(parcel), keys=opens)


@keys.command()
def rekey(
    parcel: ParcelArgument,
    key: KeyOption,
    to: NewKeyOption,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a parcel anew under a fresh data key: for when a key has become known."""
    from flows.command_line import _finish, _say, _session

    with _session(as_json, debug):
        from tasks.changing_keys import rekey as rekey_parcel

        seal = rekey_parcel(parcel, _key(key), _key(to))
        opens = [one.key for one in seal.keys]
        _say(f"{parcel}: written anew, opens with key {', '.join(opens)}")
        _finish(state="rekeyed", parcel=str(parcel), keys=opens)
