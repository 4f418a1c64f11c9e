"""Exact types: Arrow types as text, a table's Arrow schema, and frames that keep it."""

import re

import pandas as pd
import pyarrow as pa

from data_contracts.contract import Column, Table
from data_contracts.errors import ContractError

_SIMPLE = {
    "bool": pa.bool_(),
    "string": pa.string(),
    "large_string": pa.large_string(),
    "date32": pa.date32(),
    "date64": pa.date64(),
    **{f"{sign}int{bits}": pa.type_for_alias(f"{sign}int{bits}")
       for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float32": pa.float32(),
    "float64": pa.float64(),
}  # fmt: skip
_TIMESTAMP = re.compile(r"^timestamp\[(s|ms|us|ns)(?:, *(?:tz=)?([^\]]+))?\]$")
_DECIMAL = re.compile(r"^decimal128\((\d+), *(-?\d+)\)$")
_DICTIONARY = re.compile(r"^dictionary<(string|large_string)>$")


def arrow_type(text: str) -> pa.DataType:
    """The Arrow type that `text` names; ContractError when it names none we carry.

    Forms: `int64`, `float64`, `bool`, `string`, `date32`, `timestamp[us]`,
    `timestamp[us, tz=Europe/Vienna]`, `decimal128(12, 2)`, `dictionary<string>`.
    """
    if text in _SIMPLE:
        return _SIMPLE[text]
    if match := _TIMESTAMP.match(text):
        return pa.timestamp(match[1], tz=match[2])
    if match := _DECIMAL.match(text):
        return pa.decimal128(int(match[1]), int(match[2]))
    if _DICTIONARY.match(text):
        return pa.dictionary(pa.int32(), pa.string())
    raise ContractError(
        f"physicalType {text!r} is not a type that Understudy carries. Use one of "
        f"{', '.join(sorted(_SIMPLE))}, timestamp[us], timestamp[us, tz=UTC], "
        "decimal128(12, 2), dictionary<string>."
    )


def type_text(data_type: pa.DataType) -> str:
    """The text that `arrow_type` reads back as `data_type`."""
    if pa.types.is_timestamp(data_type):
        zone = f", tz={data_type.tz}" if data_type.tz else ""
        return f"timestamp[{data_type.unit}{zone}]"
    if pa.types.is_decimal(data_type):
        return f"decimal128({data_type.precision}, {data_type.scale})"
    if pa.types.is_dictionary(data_type):
        return "dictionary<string>"
    names = {value: key for key, value in _SIMPLE.items()}
    if data_type not in names:
        raise ContractError(
            f"Arrow type {data_type} is not one that Understudy carries; cast the column first."
        )
    return names[data_type]


def column_type(column: Column) -> pa.DataType:
    """The column's exact Arrow type: a dictionary says whether its categories are ordered."""
    found = arrow_type(column.physical_type)
    if pa.types.is_dictionary(found) and column.ordered:
        return pa.dictionary(found.index_type, found.value_type, ordered=True)
    return found


def field_of(column: Column) -> pa.Field:
    """The column's Arrow field: exact type, and whether missing values are allowed."""
    return pa.field(column.name, column_type(column), nullable=not column.required)


def arrow_schema(table: Table) -> pa.Schema:
    """The exact Arrow schema that every Parquet file of the table carries."""
    return pa.schema([field_of(column) for column in table.columns])


def pandas_dtype(data_type: pa.DataType) -> object | None:
    """The pandas dtype that holds `data_type` without loss, or None for pandas' own choice.

    Integers and booleans become pandas' nullable types, so that a missing value changes no type;
    decimals and dates stay Arrow-backed.
    """
    if pa.types.is_boolean(data_type):
        return pd.BooleanDtype()
    if pa.types.is_integer(data_type):
        return pd.api.types.pandas_dtype(_nullable_integer(str(data_type)))
    if pa.types.is_decimal(data_type) or pa.types.is_date(data_type):
        return pd.ArrowDtype(data_type)
    return None


def _nullable_integer(name: str) -> str:
    return name.replace("uint", "UInt") if name.startswith("u") else name.replace("int", "Int")


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Arrow to pandas without loss of type: nullable integers stay integers."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=pandas_dtype)
    return frame


def to_series(values: pa.Array) -> pd.Series:
    """One Arrow column as pandas holds it in `to_frame`."""
    return to_frame(pa.table({"values": values}))["values"].rename(None)


def to_arrow(frame: pd.DataFrame, table: Table) -> pa.Table:
    """A frame as an Arrow table in exactly the contract's schema, columns in its order.

    Raises pa.ArrowInvalid where a value does not fit its declared type.
    """
    arrays = [
        pa.Array.from_pandas(frame[field.name], type=field.type) for field in arrow_schema(table)
    ]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(table))
