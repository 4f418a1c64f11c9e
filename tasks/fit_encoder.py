"""Train the keyed encoder of a contract's rows, or re-use the one trained on the same."""

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.contract import Contract
from data_contracts.dataset import Dataset
from data_contracts.errors import ContractError
from data_contracts.schema import to_frame
from data_contracts.share import Share
from tasks.announce import ProgressReporter
from tasks.fit import MAX_FRAME_ROWS, FittedModel
from tasks.identity import code_version, content_id, versions
from tasks.prove import Ingest
from tasks.run import Run, peak_mib
from tasks.sealing_keys import KeyService, Secret, SymmetricKey, key_from
from tasks.split import Split

if TYPE_CHECKING:
    from models.representation.keyed_encoder import KeyedEncoder

ENCODER = "encoder"


def shared_by(contract: Contract) -> Share:
    """What the contract says of sharing; ContractError when it says nothing."""
    if contract.share is None:
        raise ContractError(
            f"contract {contract.id!r}: no `share`. Say under customProperties.understudy.share "
            "for which tasks and with whom codes are shared (docs/contracts.md)."
        )
    return contract.share


def check_share(contract: Contract) -> None:
    """Refuses a contract without `share`, and keys that cannot be read, before any work is done."""
    share = shared_by(contract)
    for recipient in share.recipients:
        recipient_key(contract, recipient.key)
    if share.holder is not None:
        holder_secret(contract, share.holder)


def recipient_key(contract: Contract, reference: str) -> KeyService:
    """A recipient's key; files are sought from the contract's folder."""
    return key_from(reference, contract.folder)


def holder_secret(contract: Contract, reference: str) -> Secret:
    """The secret from which the holder's noise keys come; ContractError for a key of age."""
    key = key_from(reference, contract.folder)
    if not isinstance(key, SymmetricKey):
        raise ContractError(
            "customProperties.understudy.share.holder: not a symmetric key. Make one with "
            "`understudy key new`."
        )
    return key.reveal()


@task(name="fit_encoder", cache_policy=NO_CACHE)
def fit_encoder(run: Run, ingest: Ingest) -> FittedModel:
    """Plays the game on the training rows and stores the encoder, which is never released."""
    from models.representation.keyed_encoder import KeyedEncoder

    store, contract = run.open_store(), run.contract
    model = encoder_id(contract, ingest)
    final = f"{contract.id}/models/{model}"
    if store.is_committed(final):
        rows = store.read_json(f"{final}/manifest.json")["rows"]
        return FittedModel(model=model, path=final, rows=rows, reused=True)
    started, table = time.monotonic(), contract.tables[0]
    split = Split(store, contract, table, ingest.path)
    frame = to_frame(split.training(MAX_FRAME_ROWS))
    with ProgressReporter(f"fit encoder of {table.name}") as progress:
        encoder = KeyedEncoder(shared_by(contract)).fit(
            Dataset(contract, {table.name: frame}), seed=contract.sampling.seed, progress=progress
        )
    draft = f"{run.work}/encoder"
    with tempfile.TemporaryDirectory() as temporary:
        encoder.save(Path(temporary))
        store.upload(Path(temporary), f"{draft}/{ENCODER}")
    manifest = {
        "model": model, "contract": contract.id, "kind": "keyed_encoder", "ingest": ingest.ingest,
        "seed": contract.sampling.seed, "rows": {table.name: len(frame)},
        "seconds": round(time.monotonic() - started, 3), "peak_mib": peak_mib(),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "versions": versions(),
    }  # fmt: skip
    store.commit(draft, final, manifest)
    return FittedModel(model=model, path=final, rows={table.name: len(frame)}, reused=False)


def encoder_id(contract: Contract, ingest: Ingest) -> str:
    """The name of the encoder that this data, contract and code make."""
    identity = contract.identity()
    parts: dict[str, Any] = {key: identity[key] for key in ("id", "tables", "holdout")}
    parts |= {"share": shared_by(contract).terms(), "seed": contract.sampling.seed}
    return content_id({**parts, "ingest": ingest.ingest, "code": code_version()})


def load_encoder(run: Run, model: FittedModel) -> "KeyedEncoder":
    """The stored encoder, for attacks and for coding."""
    from models.representation.keyed_encoder import KeyedEncoder

    with run.open_store().local_copy(f"{model.path}/{ENCODER}") as folder:
        return KeyedEncoder.load(folder, run.contract)
