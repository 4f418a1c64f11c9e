"""Going on from an earlier model: which one, and whether the holdout stays unseen by it."""

from typing import TYPE_CHECKING, Any

from data_contracts.contract import Contract
from data_contracts.errors import ModelError
from data_contracts.loading import load_contract
from data_contracts.record import Record
from tasks.storage import MANIFEST, Store

if TYPE_CHECKING:
    from models.base import Generator

_ANEW = "Train anew: leave `refresh` out."


class HoldoutMark(Record):
    """What a model's manifest says of a table's holdout, for those who go on from the model.

    Units whose hash is up to `threshold` were held out; or all rows of a table of its own, whose
    files have this `content`.
    """

    threshold: int | None = None
    content: str | None = None


def refreshed_model(contract: Contract) -> str | None:
    """The id of the model that the contract's generator goes on from, if it is to."""
    found = contract.generator.options.get("refresh")
    return None if found is None else str(found)


def earlier_mark(store: Store, contract: Contract, table: str) -> HoldoutMark | None:
    """How the table was held out from the model that is refreshed; None without one.

    Raises ModelError when there is no such model, or it does not tell.
    """
    model = refreshed_model(contract)
    if model is None:
        return None
    marks = _manifest(store, contract, model).get("holdout", {})
    if table not in marks:
        raise ModelError(
            f"generator.options.refresh: model {model} does not tell what was held out of table "
            f"{table!r}. {_ANEW}"
        )
    return HoldoutMark.model_validate(marks[table])


def open_earlier(
    store: Store, contract: Contract, table: str, mark: HoldoutMark
) -> "Generator | None":
    """The table's generator in the model that is refreshed; None where none is.

    `mark` is the holdout of now. Raises ModelError when the model is not there or was refused, and
    when rows that it has learned might be held out now: every figure of the release would then
    take for unseen what the model knows.
    """
    from models.registry import load_generator

    model, before = refreshed_model(contract), earlier_mark(store, contract, table)
    if model is None or before is None:
        return None
    _raise_if_refused(store, contract, model)
    with store.local_copy(f"{contract.id}/models/{model}") as local:
        earlier = load_contract(local / "contract.odcs.yaml")
        if fault := _holdout_fault((contract, mark), (earlier, before), table):
            raise ModelError(
                f"refresh, table {table!r}: rows that model {model} has learned might be held out "
                f"now, because {fault}"
            )
        return load_generator(earlier, local / table)


def _holdout_fault(
    now: tuple[Contract, HoldoutMark], before: tuple[Contract, HoldoutMark], name: str
) -> str:
    """Why the earlier model may have learned rows that are held out now; empty where it can't."""
    (contract, mark), (earlier, mark_before) = now, before
    if mark.content is not None or mark_before.content is not None:
        if mark.content == mark_before.content:
            return ""
        return f"the table's own holdout is not the one that was kept from it. {_ANEW}"
    unit, unit_before = contract.table(name).unit, earlier.table(name).unit
    if unit is None or unit_before is None:
        return (
            "without a `unit`, rows are held out by their place in the table. Name a unit (a key "
            "of the rows will do), or a holdout table of its own, and train anew once: models "
            "after that can be refreshed."
        )
    if unit != unit_before:
        return f"the unit was {unit_before!r} and is {unit!r}. {_ANEW}"
    if not all(one.table(name).column(unit).required for one in (contract, earlier)):
        return (
            f"column {unit!r}, the unit, may be missing, and such rows are held out by their place "
            "in the table. Make it `required`, and train anew once."
        )
    settings = {
        "sampling.seed": (earlier.sampling.seed, contract.sampling.seed),
        "holdout.share": (earlier.holdout.share, contract.holdout.share),
        "privacy": (earlier.privacy is not None, contract.privacy is not None),
    }
    told = [f"`{key}` was {old} and is {new}" for key, (old, new) in settings.items() if old != new]
    return f"{' and '.join(told)}. Set it back, or leave `refresh` out." if told else ""


def _manifest(store: Store, contract: Contract, model: str) -> dict[str, Any]:
    folder = f"{contract.id}/models"
    if not store.is_committed(f"{folder}/{model}"):
        known = ", ".join(store.list_folders(folder)) or "none"
        raise ModelError(
            f"generator.options.refresh: store {store.root} has no model {model!r} of contract "
            f"{contract.id!r}. It has {known}."
        )
    found: dict[str, Any] = store.read_json(f"{folder}/{model}/{MANIFEST}")
    return found


def _raise_if_refused(store: Store, contract: Contract, model: str) -> None:
    # Publishing comes after fitting, and is imported by nothing before it.
    from tasks.publish import list_releases

    for release in list_releases(store, contract.id):
        if release["model"] == model and release["verdict"] == "refused":
            raise ModelError(
                f"generator.options.refresh: release {release['release']} of model {model} was "
                "refused, so no other model goes on from it: what was refused would come along. "
                f"Read why in {store.display(release['path'])}/report.html. {_ANEW}"
            )
