"""The demo's landing files: two small real data sets that statsmodels brings along."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from data_contracts.errors import StoreError

Row = Sequence[str]


def write_demo_landing(folder: Path) -> tuple[Path, ...]:
    """Writes `fair.csv` and `co2.csv` into `folder` and returns their paths.

    The same bytes on every call, so that a second run of the demo re-uses the first one's work. A
    file appears whole or not at all; one that already has these bytes is left untouched.

    - `fair.csv`: 6,366 married women of a magazine survey of 1974 (Fair 1978, "A Theory of
      Extramarital Affairs", Journal of Political Economy).
    - `co2.csv`: weekly carbon dioxide at Mauna Loa, 1958 to 2001, with 59 missing weeks (Keeling
      and Whorf 2004); a missing week is an empty field.

    Raises StoreError when the folder cannot be written.
    """
    return (
        _write(folder / "fair.csv", _fair_rows()),
        _write(folder / "co2.csv", _co2_rows()),
    )


def _fair_rows() -> Iterator[Row]:
    from statsmodels.datasets import fair

    survey = fair.load_pandas().data
    # Codes such as 1 to 5 come as floats; whoever lands a survey writes them as whole numbers.
    whole = [bool((survey[name] % 1 == 0).all()) for name in survey.columns]
    yield [str(name) for name in survey.columns]
    for row in survey.itertuples(index=False):
        yield [_number(value, is_whole) for value, is_whole in zip(row, whole, strict=True)]


def _co2_rows() -> Iterator[Row]:
    from statsmodels.datasets import co2

    series = co2.load_pandas().data["co2"]
    yield ["week", "co2"]
    for day, value in series.items():
        yield [f"{day:%Y-%m-%d}", _number(value, False)]


def _number(value: Any, whole: bool) -> str:
    if value != value:
        return ""
    return str(int(value)) if whole else repr(float(value))


def _write(path: Path, rows: Iterable[Row]) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    content = text.getvalue().encode()
    try:
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreError(f"{path}: cannot be written ({reason}). Check the folder.") from error
    return path


def _replace(path: Path, content: bytes) -> None:
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
