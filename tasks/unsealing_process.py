"""The process apart that reads sealed Parquet: what a file may do to its reader stays in here.

One JSON object comes on standard input, one goes out; files come open. Errors are told by their
kind alone, since Arrow's own texts may quote what is in the file.
"""

import base64
import contextlib
import errno
import json
import resource
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as parquet_encryption

PLACE_KEY = b"understudy.place"
_ROWS = 65_536


class PartError(Exception):
    """A part that cannot be read as it was sealed; the text says why."""


def main() -> int:
    """Decrypts the parts of a job into one Parquet file; 0 when all of them were right."""
    job = json.load(sys.stdin)
    _bound(job)
    names = ", ".join(part["name"] for part in job["parts"])
    try:
        answer: dict[str, Any] = {"rows": _decrypt(job)}
    except PartError as error:
        answer = {"why": str(error)}
    except (OSError, MemoryError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        answer = (
            {"full": True}
            if full
            else {"why": f"{names}: larger than it may be ({type(error).__name__})"}
        )
    json.dump(answer, sys.stdout)
    return 0 if "rows" in answer else 1


def _decrypt(job: dict[str, Any]) -> int:
    """Writes the rows of all parts and returns how many they are."""
    rows = 0
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(open(job["output"], "wb"))
        writer: pq.ParquetWriter | None = None
        for part in job["parts"]:
            for batch in read_batches(part):
                if writer is None:
                    writer = pq.ParquetWriter(output, batch.schema, compression="zstd")
                    stack.enter_context(writer)
                writer.write_table(batch)
                rows += batch.num_rows
    return rows


def _bound(job: dict[str, Any]) -> None:
    """Limits what a file can make this process take; no core dump may keep keys and rows."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (job["most_memory"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (job["most_output"],) * 2)


def read_part(part: dict[str, Any]) -> pa.Table:
    """One part's rows, all of them authenticated; PartError when one byte is not as sealed."""
    return pa.concat_tables(list(read_batches(part)))


def read_batches(part: dict[str, Any]) -> Iterator[pa.Table]:
    """One part's rows, some at a time and at least once; PartError as soon as one is not as sealed.

    `file` of the part is an open file or a path, `rows` how many its seal lists.
    """
    properties = None
    if part["key"] is not None:
        properties = parquet_encryption.create_decryption_properties(
            base64.b64decode(part["key"]), aad_prefix=part["aad"].encode()
        )
    try:
        with open(part["file"], "rb") as stream:
            file = pq.ParquetFile(
                stream, decryption_properties=properties, page_checksum_verification=True
            )
            schema = file.schema_arrow
            marks = schema.metadata or {}
            if marks.get(PLACE_KEY) != part["aad"].encode():
                raise PartError(f"{part['name']}: a file of another release or place")
            if file.metadata.num_rows != part["rows"]:
                raise PartError(f"{part['name']}: holds another number of rows than its seal lists")
            schema = schema.with_metadata({k: v for k, v in marks.items() if k != PLACE_KEY})
            yield schema.empty_table()
            for batch in file.iter_batches(_ROWS):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(schema.metadata)
                table.validate(full=True)
                yield table
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise PartError(
            f"{part['name']}: changed, exchanged with another release's, sealed under another key, "
            f"or too large ({type(error).__name__})"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
