"""Names and seeds in the place of those that would tell of private rows, made with a kept key."""

import hashlib
import hmac
import secrets

from data_contracts.contract import Contract
from tasks.storage import Store

_KEY = "private_names.json"


def private_name(store: Store, contract: Contract, name: str) -> str:
    """A name in the place of one that was made from private rows; `name` itself without `privacy`.

    Whoever knows all rows but one could try the last one's values against a plain hash. The key
    stays in the store, beside the rows.
    """
    if contract.privacy is None:
        return name
    return _keyed(store, contract, name).hex()[:20]


def split_seed(store: Store, contract: Contract) -> int:
    """The seed that says who is held out: the contract's own, under `privacy` a secret one."""
    if contract.privacy is None:
        return contract.sampling.seed
    made = _keyed(store, contract, f"split {contract.sampling.seed}")
    return int.from_bytes(made[:7], "big")


def _keyed(store: Store, contract: Contract, text: str) -> bytes:
    path = f"{contract.id}/{_KEY}"
    if not store.exists(path):
        with store.lock(contract.id):
            # Another run may have made it while this one waited.
            if not store.exists(path):
                store.write_json(path, {"key": secrets.token_hex(32)})
    key = bytes.fromhex(store.read_json(path)["key"])
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
