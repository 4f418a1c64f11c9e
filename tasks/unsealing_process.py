"""The process apart that reads sealed Parquet: what a file may do to its reader stays in here.

One JSON object comes on standard input, one goes out. Errors are told by their kind alone, since
Arrow's own texts may quote what is in the file.
"""

import base64
import json
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as parquet_encryption

PLACE_KEY = b"understudy.place"


class PartError(Exception):
    """A part that cannot be read as it was sealed; the text says why."""


def main() -> int:
    """Decrypts the parts of a job into one Parquet file; 0 when all of them were right."""
    job = json.load(sys.stdin)
    writer: pq.ParquetWriter | None = None
    rows = 0
    for part in job["parts"]:
        try:
            table = read_part(part)
        except PartError as error:
            json.dump({"failed": part["path"], "why": str(error)}, sys.stdout)
            return 1
        if writer is None:
            writer = pq.ParquetWriter(job["output"], table.schema, compression="zstd")
        writer.write_table(table)
        rows += table.num_rows
    if writer is not None:
        writer.close()
    json.dump({"rows": rows}, sys.stdout)
    return 0


def read_part(part: dict[str, Any]) -> pa.Table:
    """One part's rows, all of them authenticated; PartError when one byte is not as sealed."""
    properties = None
    if part["key"] is not None:
        properties = parquet_encryption.create_decryption_properties(
            base64.b64decode(part["key"]), aad_prefix=part["aad"].encode()
        )
    try:
        file = pq.ParquetFile(
            part["path"], decryption_properties=properties, page_checksum_verification=True
        )
        table = file.read()
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise PartError(
            f"changed, exchanged with another release's, or sealed under another key "
            f"({type(error).__name__})"
        ) from None
    if (table.schema.metadata or {}).get(PLACE_KEY) != part["aad"].encode():
        raise PartError("a file of another release or place")
    marks = {k: v for k, v in (table.schema.metadata or {}).items() if k != PLACE_KEY}
    return table.replace_schema_metadata(marks)


if __name__ == "__main__":
    sys.exit(main())
