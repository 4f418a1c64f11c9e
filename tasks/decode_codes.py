"""Decode opened codes for the holder of the key: which row was it that a recipient speaks of?"""

import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.contract import Contract
from data_contracts.errors import StoreError
from tasks.fit_encoder import ENCODER
from tasks.foreign_files import draft_of, give_name, written_whole
from tasks.publish_share import HOLDER_KEY, MARK, MODEL_KEY, RECIPIENT_KEY, holder_mark, noise_key
from tasks.sealing import RELEASE_KEY
from tasks.sealing_keys import SealError
from tasks.storage import Store

_MODEL = re.compile(r"[A-Za-z0-9_-]+")
_AS_OPENED = "Give the file as `understudy open` wrote it, or rows of it with all their columns."


def decode_codes(codes: Path, contract: Contract, store: str, output: Path) -> int:
    """Writes what the holder's key reads from opened codes, a row for each; returns how many.

    `output` appears whole or not at all, and only its owner may read it: it holds real rows. The
    key is the one that the contract's `share.holder` names. The encoder is read from the store.
    Raises SealError for what are no codes, damaged ones, or another holder's; StoreError where the
    encoder is gone or the disk is full, ContractError where `output` cannot be a file.
    """
    from models.representation.keyed_encoder import KeyedEncoder

    table = _read(codes)
    marks = _marks_of(codes, table)
    if holder_mark(contract).decode() != marks[HOLDER_KEY]:
        raise SealError(f"{codes}: made for another holder's key than share.holder names.")
    opened = Store(store, for_reading=True)
    folder = f"{contract.id}/models/{marks[MODEL_KEY]}"
    if not opened.is_committed(folder):
        raise StoreError(f"store {opened.display(folder)}: the encoder of these codes is not here.")
    with opened.local_copy(f"{folder}/{ENCODER}") as local:
        encoder = KeyedEncoder.load(local, contract)
    key = noise_key(contract, marks[RELEASE_KEY], marks[RECIPIENT_KEY])
    missing = sorted({MARK, *encoder.column_names} - set(table.column_names))
    if missing:
        raise SealError(f"{codes}: lacks the columns {', '.join(missing)}. {_AS_OPENED}")
    values = np.stack([_numbers_of(codes, table, name) for name in encoder.column_names], 1)
    numbers = _numbers_of(codes, table, MARK)
    with draft_of(output) as draft:
        rows = encoder.decode(values.astype(np.float64), key, numbers, seed=contract.sampling.seed)
        read = pa.Table.from_pandas(rows, preserve_index=False)
        with written_whole(output), os.fdopen(os.dup(draft), "wb") as stream:
            pq.write_table(read.add_column(0, MARK, pa.array(numbers)), stream)
        give_name(draft, output)
    return int(read.num_rows)


def _marks_of(codes: Path, table: pa.Table) -> dict[bytes, str]:
    """What the sender wrote beside the codes: whose they are and what made them."""
    names, found = (HOLDER_KEY, MODEL_KEY, RECIPIENT_KEY, RELEASE_KEY), table.schema.metadata or {}
    if not set(names) <= found.keys():
        raise SealError(
            f"{codes}: no codes that can be decoded. They are decoded as `understudy open` wrote "
            "them, and only where the contract named a holder when they were made."
        )
    try:
        marks = {name: found[name].decode() for name in names}
    except UnicodeDecodeError:
        marks = {}
    # The model's name becomes a place in the store, and is shown.
    if not _MODEL.fullmatch(marks.get(MODEL_KEY, "")):
        raise SealError(f"{codes}: damaged marks of release, recipient or model. {_AS_OPENED}")
    return marks


def _numbers_of(codes: Path, table: pa.Table, name: str) -> np.ndarray:
    """The numbers of a column, all of them there and such as `understudy open` writes them."""
    column, whole = table[name], name == MARK
    fits = pa.types.is_int64(column.type) if whole else pa.types.is_floating(column.type)
    if not fits:
        found = "is not of type int64" if whole else "holds no floating-point numbers"
        raise SealError(f"{codes}: column {name!r} {found}. {_AS_OPENED}")
    if column.null_count:
        found = f"missing values ({column.null_count:,})"
        raise SealError(f"{codes}: column {name!r} has {found}. {_AS_OPENED}")
    numbers = np.asarray(column.to_numpy())
    if wrong := np.count_nonzero(numbers < 0 if whole else ~np.isfinite(numbers)):
        found = f"{'negative' if whole else 'infinite or undefined'} values ({wrong:,})"
        raise SealError(f"{codes}: column {name!r} has {found}. {_AS_OPENED}")
    return numbers


def _read(codes: Path) -> pa.Table:
    try:
        return pq.read_table(codes)
    except (OSError, pa.ArrowException) as error:
        why = getattr(error, "strerror", None) or "no Parquet file"
        raise SealError(f"{codes}: {why}. Name the file that `understudy open` wrote.") from None
