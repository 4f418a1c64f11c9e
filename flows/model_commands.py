"""The commands that ask a trained model: for rows like those that it learned, or for missing cells.

What they write has been judged by no gate, and says so.
"""

from pathlib import Path
from typing import Annotated

import typer

SourceArgument = Annotated[str, typer.Argument(metavar="CONTRACT_OR_MODEL", show_default=False)]
OutputOption = Annotated[Path, typer.Option("-o", "--output", metavar="FILE.parquet")]
SeedOption = Annotated[int, typer.Option(min=0)]
StoreOption = Annotated[str, typer.Option("--store", help="Folder or object-store URI.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Last line of output: one JSON object.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def register(app: typer.Typer) -> None:
    """Puts these commands beside the others."""
    app.command()(sample)
    app.command()(impute)


def sample(
    source: SourceArgument,
    rows: Annotated[int, typer.Option("-n", "--rows", min=1)],
    output: OutputOption,
    given: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE", help="Fix a column; a range is 30..40, a choice [1, 2]."
        ),
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE:SHARE", help="The share of rows with a value."),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.01, help="Below 1 likelier, above 1 more varied rows.")
    ] = None,
    seed: SeedOption = 1,
    store: StoreOption = "./store",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:  # fmt: skip
    """Draw rows straight from a trained model: marked unreleased, judged by no gate."""
    from flows.command_line import _finish, _say, _session, _texts

    with _session(as_json, debug):
        from tasks.unreleased import Draw, open_model, sample_unreleased

        model = open_model(source, store)
        _say(f"model {model.name}")
        draw = Draw(
            rows=rows, given=_texts(given, "--given"), shares=tuple(share or ()),
            temperature=temperature, seed=seed,
        )  # fmt: skip
        written = sample_unreleased(model, draw, output)
        _say(f"wrote {written:,} unreleased rows to {output}: no gate has judged them")
        _finish(
            state="sampled", output=str(output), rows=written,
            model=model.store.display(model.path), generator=model.manifest["generator"],
        )  # fmt: skip


def impute(
    source: SourceArgument,
    rows: Annotated[Path, typer.Argument(metavar="ROWS.parquet", show_default=False)],
    output: OutputOption,
    point: Annotated[
        bool, typer.Option(help="The likeliest or middle value, not one draw of many.")
    ] = False,
    seed: SeedOption = 1,
    store: StoreOption = "./store",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:  # fmt: skip
    """Fill the missing cells of real rows by a trained model; known cells stay as they are."""
    from flows.command_line import _finish, _say, _session

    with _session(as_json, debug):
        from tasks.impute_rows import impute_rows
        from tasks.unreleased import open_model

        model = open_model(source, store)
        _say(f"model {model.name}")
        done = impute_rows(model, rows, output, seed=seed, point=point)
        for name, cells in done.filled.items():
            _say(f"{name}: {cells:,} cells filled in, {done.left.get(name, 0):,} still missing")
        _say(f"wrote {done.rows:,} rows to {output}: real ones, judged by no gate")
        _finish(
            state="imputed", output=str(output), **done.model_dump(mode="json"),
            model=model.store.display(model.path), generator=model.manifest["generator"],
        )  # fmt: skip
