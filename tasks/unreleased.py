"""Rows straight from a trained model, for looking at: no gate has judged them."""

import contextlib
import fnmatch
import glob
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from data_contracts.choice import ModelChoice
from data_contracts.contract import Contract, Source, Table
from data_contracts.errors import ContractError, ModelError, StoreError
from data_contracts.loading import load_contract
from data_contracts.record import Record
from tasks.publish import list_releases
from tasks.sample import (
    CONTRACT,
    ROW_GROUP_ROWS,
    Asked,
    draw,
    open_generator,
    parts_of,
    with_metadata,
)
from tasks.storage import MANIFEST, Store, store_errors
from tasks.verify import CONTENT_KEY
from tasks.wishes import check_powers, typed_wishes

if TYPE_CHECKING:
    from models.base import Generator

_UNRELEASED = "unreleased"
_SHOWN_MODELS = 5


class Draw(Record):
    """What `understudy sample` was asked for; `given` and `shares` as they were typed."""

    rows: int
    given: dict[str, str] = Field(default_factory=dict)
    shares: tuple[str, ...] = ()
    temperature: float | None = None
    seed: int


@dataclass(frozen=True)
class TrainedModel:
    """A model to draw from: where it lies, what its manifest says, and its contract.

    `contract` is the file that the model was asked for by, which knows where the sources lie; or
    the model's own copy, when it was asked for by its folder.
    """

    store: Store
    path: str
    manifest: dict[str, Any]
    contract: Contract

    @property
    def name(self) -> str:
        """Its id, and what made it: `4f0c... (any_order, epochs 5)`."""
        return f"{self.manifest['model']} ({_shown(self.manifest)})"


def open_model(source: str, store: str) -> TrainedModel:
    """A model by its own folder, or the newest one that a contract's generator has made.

    Raises ModelError when there is none, or when a release of it was refused: what the gate kept
    back must not leave by another door.
    """
    if source.endswith((".yaml", ".yml")):
        opened, contract = Store(store, for_reading=True), load_contract(Path(source))
        path = find_model(opened, contract)
    else:
        opened, path = _open_folder(source, store)
        with opened.local_copy(path) as folder:
            contract = load_contract(folder / CONTRACT)
    model = TrainedModel(opened, path, opened.read_json(f"{path}/{MANIFEST}"), contract)
    _raise_if_refused(model)
    return model


def find_model(store: Store, contract: Contract) -> str:
    """The path of the newest model that the contract's generator made, with the same options.

    Another generator's model, such as a bootstrap that was tried once, is not what the contract
    says, and an encoder of shared codes makes no rows at all. Raises ModelError when there is
    none, with the models that there are.
    """
    folder = f"{contract.id}/models"
    stored = [
        (name, store.read_json(f"{folder}/{name}/{MANIFEST}"))
        for name in store.list_folders(folder)
        if store.is_committed(f"{folder}/{name}")
    ]
    manifests = [(name, manifest) for name, manifest in stored if "generator" in manifest]
    manifests.sort(key=lambda found: (found[1]["created"], found[0]), reverse=True)
    wanted = contract.generator.model_dump(mode="json")
    for name, manifest in manifests:
        if manifest["generator"] == wanted:
            return f"{folder}/{name}"
    others = "; ".join(
        f"{store.display(f'{folder}/{name}')} ({_shown(manifest)})"
        for name, manifest in manifests[:_SHOWN_MODELS]
    )
    raise ModelError(
        f"store {store.root}: no model of contract {contract.id!r} by its generator "
        f"({_shown({'generator': wanted})}). Train one first: understudy run synthesize-dataset "
        f"CONTRACT{f'; or name the folder of another model: {others}' if others else ''}."
    )


def _open_folder(source: str, store: str) -> tuple[Store, str]:
    prefix = f"{store.rstrip('/')}/"
    if "://" in source and source.startswith(prefix):
        opened, path = Store(store, for_reading=True), source.removeprefix(prefix).rstrip("/")
    else:
        folder = Path(source).resolve()
        root = folder.parents[2] if len(folder.parents) > 2 else folder.parent
        if not (folder / MANIFEST).is_file():
            raise ModelError(
                f"{source}: no contract file (*.odcs.yaml) and no folder of a trained model. Name "
                "one of them; `understudy run` prints the model's folder with --json."
            )
        opened, path = Store(str(root), for_reading=True), folder.relative_to(root).as_posix()
    if not opened.is_committed(path) or "generator" not in opened.read_json(f"{path}/{MANIFEST}"):
        raise ModelError(f"{source}: not a trained model. Name a folder below `models`.")
    return opened, path


def _shown(manifest: dict[str, Any]) -> str:
    choice = ModelChoice.model_validate(manifest["generator"])
    options = (f"{name} {json.dumps(value, default=str)}" for name, value in choice.options.items())
    return ", ".join((choice.name, *options))


def _raise_if_refused(model: TrainedModel) -> None:
    for release in list_releases(model.store, model.manifest["contract"]):
        if release["model"] == model.manifest["model"] and release["verdict"] == "refused":
            report = model.store.display(f"{release['path']}/report.html")
            raise ModelError(
                f"model {model.name}: its release {release['release']} was refused, so no rows are "
                f"drawn from it. Read why in {report}, or name the folder of another model."
            )


def sample_unreleased(model: TrainedModel, wanted: Draw, output: Path) -> int:
    """Writes rows straight from a model to one Parquet file, marked as not released.

    No gate has judged them: they are for looking, not for sharing. `given` fixes columns to
    values exactly. The file appears whole or not at all, and takes the place of nothing but an
    older one of its kind (see `check_output`). Returns the number of rows written.
    """
    check_output(output, model.contract)
    metadata, table = unreleased_metadata(model, "true"), learned_contract(model).tables[0]
    asked = Asked(
        given=typed_wishes(table, wanted.given, wanted.shares) or None,
        temperature=wanted.temperature,
    )
    draft = output.with_name(f".{output.name}.{secrets.token_hex(4)}.tmp")
    with store_errors(str(output)), open_generator(model.store, model.path, table) as generator:
        check_powers(getattr(generator, "name", ""), asked.given or {}, wanted.temperature)
        output.parent.mkdir(exist_ok=True)
        try:
            with _told_as_typed(wanted):
                _write_parts((generator, table), wanted, asked, (draft, metadata))
            draft.replace(output)
        finally:
            draft.unlink(missing_ok=True)
    return wanted.rows


@contextlib.contextmanager
def _told_as_typed(wanted: Draw) -> Iterator[None]:
    """Makes a model's refusal of what was asked for a wrong usage that repeats what was typed.

    A model never tells values, and does not know who asked: that no row can be as somebody typed it
    is no failure of the model. Raises ContractError, as for a text that no column can read.
    """
    typed = [f"--given {name}={value}" for name, value in wanted.given.items()]
    typed += [f"--share {share}" for share in wanted.shares]
    try:
        yield
    except ModelError as error:
        if not typed:
            raise
        raise ContractError(f"{' '.join(typed)}: {error}") from error


def check_output(output: Path, contract: Contract) -> None:
    """Refuses a file that `sample` and `impute` must not write, before anything is drawn.

    Raises ContractError for a name that is no Parquet file's, or a file that is, or would become,
    part of the contract's own sources; StoreError for a file that is there and is not rows that
    they wrote, and for a folder that is not there, unless it only lacks its last part.
    """
    if output.suffix != ".parquet":
        raise ContractError(f"-o {output}: rows are written as Parquet. End its name in .parquet.")
    sources = [table.source for table in contract.tables] + list(contract.holdout.sources.values())
    if any(_belongs(output, source, contract.folder) for source in sources):
        raise ContractError(
            f"-o {output}: a place of contract {contract.id!r}'s own data. Choose another file."
        )
    with store_errors(str(output)):
        if output.exists() and not _is_unreleased(output):
            raise StoreError(
                f"-o {output}: exists, and is no file that `understudy sample` or `impute` wrote. "
                "It is left as it is: choose another name, or move it away."
            )
        if not output.parent.is_dir() and not output.parent.parent.is_dir():
            raise StoreError(f"-o {output}: there is no folder {output.parent.parent}. Make it.")


def _belongs(output: Path, source: Source, folder: Path) -> bool:
    """Whether a file of this name is one of the source's: itself, in its folder, by its glob."""
    if source.path is None:
        return False
    written, place = output.resolve(), (folder / source.path).resolve()
    base = glob.escape(str(folder.resolve()))
    # A star matches separators here: rather one name too many refused than one too few.
    return written.is_relative_to(place) or fnmatch.fnmatchcase(
        str(written), str(Path(base) / source.path)
    )


def _is_unreleased(file: Path) -> bool:
    if not file.is_file():
        return False
    try:
        found = pq.read_schema(file).metadata or {}
    except pa.ArrowInvalid:
        return False
    return bool(found.get(CONTENT_KEY) == _UNRELEASED.encode())


def unreleased_metadata(model: TrainedModel, synthetic: str) -> dict[str, str]:
    """What a file of rows that no gate has judged says of itself."""
    return {
        "release": _UNRELEASED,
        "model": model.manifest["model"],
        "contract": model.manifest["contract"],
        "synthetic": synthetic,
    }


def learned_contract(model: TrainedModel) -> Contract:
    """The model's own copy of the contract; ModelError unless it was trained on one table."""
    with model.store.local_copy(model.path) as folder:
        contract = load_contract(folder / CONTRACT)
    if len(contract.tables) != 1:
        names = ", ".join(table.name for table in contract.tables)
        raise ModelError(
            f"model {model.path}: {len(contract.tables)} tables ({names}); one is needed."
        )
    return contract


def _write_parts(
    source: tuple["Generator", Table],
    wanted: Draw,
    asked: Asked,
    target: tuple[Path, dict[str, str]],
) -> None:
    (generator, table), (path, metadata) = source, target
    with contextlib.ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        beside = asked.beside(table)
        for part in parts_of(table, wanted.rows, asked):
            rows = with_metadata(draw(generator, table, part, wanted.seed, beside), metadata)
            if writer is None:
                writer = stack.enter_context(
                    pq.ParquetWriter(path, rows.schema, compression="zstd")
                )
            writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
