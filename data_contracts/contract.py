"""The nouns that everything shares: a contract, its tables, their columns and promises."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from data_contracts.choice import ModelChoice
from data_contracts.record import Record
from data_contracts.share import Share
from data_contracts.written_rules import Comparison as Comparison
from data_contracts.written_rules import Factor as Factor
from data_contracts.written_rules import Product as Product
from data_contracts.written_rules import RequiredWhen as RequiredWhen
from data_contracts.written_rules import Scalar as Scalar
from data_contracts.written_rules import Sum as Sum
from data_contracts.written_rules import Term as Term
from data_contracts.written_rules import WrittenRule as WrittenRule

LogicalType = Literal["integer", "number", "boolean", "string", "date", "timestamp"]
Role = Literal["attribute", "identifier", "quasi_identifier", "sensitive", "target"]
Kind = Literal["number", "category", "boolean", "datetime", "identifier"]
IdentifierKind = Literal[
    "key", "name", "email", "phone", "iban", "national_id", "address", "free_text"
]
TableKind = Literal["table", "panel", "series", "child"]
Format = Literal["csv", "parquet", "jsonl", "sql"]

# Ids become folder names: no separators, no leading dot, no "..".
Identifier = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$", max_length=64),
]


class Column(Record):
    """One column and what it promises. `physical_type` is the exact Arrow type, as text."""

    name: str = Field(min_length=1)
    logical_type: LogicalType
    physical_type: str
    required: bool = False
    unique: bool = False
    primary_key: bool = False
    minimum: float | int | str | None = None
    maximum: float | int | str | None = None
    pattern: str | None = None
    categories: tuple[Scalar, ...] | None = None
    ordered: bool = False
    role: Role = "attribute"
    identifier_kind: IdentifierKind | None = None
    confirm: bool = False
    format: str | None = None
    timezone: str | None = None
    null_words: tuple[str, ...] | None = None
    tolerance: float | None = Field(
        default=None, gt=0, description="Of a target: a prediction so far off still counts as hit."
    )
    description: str | None = None

    @property
    def kind(self) -> Kind:
        """How the column is modelled; an identifier is re-issued, never modelled."""
        if self.role == "identifier":
            return "identifier"
        if self.logical_type == "boolean":
            return "boolean"
        if self.categories is not None or self.logical_type == "string":
            return "category"
        return "datetime" if self.logical_type in ("date", "timestamp") else "number"


class Source(Record):
    """Where a table lands and how to read it. Paths are relative to the contract's folder.

    `path` may be a file, a folder (Parquet, hive partitions) or a glob. For SQL, `url_env` names
    the environment variable that holds the SQLAlchemy URL, so that no secret stands in a contract;
    `url` may be written out for a database file that needs none.
    """

    format: Format
    path: str | None = None
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    decimal: str = "."
    null_words: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
    true_words: tuple[str, ...] = ("true", "True", "TRUE", "1")
    false_words: tuple[str, ...] = ("false", "False", "FALSE", "0")
    header: bool = True
    url: str | None = None
    url_env: str | None = None
    query: str | None = None
    table: str | None = None


class ForeignKey(Record):
    """Columns whose values must exist as `parent_columns` in the table `parent`."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


class Freshness(Record):
    """The newest value of `column` must be at most `max_age_hours` old when the run starts."""

    column: str
    max_age_hours: float = Field(gt=0)


class Table(Record):
    """One table (or panel, or series), its columns, its promises and where it lands.

    `unit` is the column that names the unit of privacy (a person, a machine); without one each
    row is a unit of its own. `entity` and `time` make a panel; `time` alone a series.
    """

    name: Identifier
    columns: tuple[Column, ...] = Field(min_length=1)
    source: Source
    kind: TableKind = "table"
    unit: str | None = None
    entity: str | None = None
    time: str | None = None
    cadence: str | None = Field(
        default=None, description="Regular step of `time` as a pandas offset: 'h', '7D', 'MS'."
    )
    foreign_keys: tuple[ForeignKey, ...] = ()
    row_rules: tuple[WrittenRule, ...] = ()
    fixed_combinations: tuple[tuple[str, ...], ...] = Field(
        default=(), description="Made rows have only such values together as training rows have."
    )
    unique_together: tuple[tuple[str, ...], ...] = ()
    min_rows: int | None = Field(default=None, ge=0)
    max_rows: int | None = Field(default=None, ge=0)
    freshness: Freshness | None = None
    reject_tolerance: float = Field(default=0.01, ge=0, le=1)
    description: str | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def primary_key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.primary_key)

    @property
    def unique_groups(self) -> tuple[tuple[str, ...], ...]:
        """Columns that are unique together, a key of several columns among them."""
        key = self.primary_key
        groups = self.unique_together
        return (*groups, key) if len(key) > 1 and key not in groups else groups

    @property
    def target(self) -> Column | None:
        """The column whose prediction the utility figures judge, if the contract names one."""
        return next((column for column in self.columns if column.role == "target"), None)

    def issues(self, column: Column) -> bool:
        """Whether made rows have new values in this column instead of modelled ones.

        True for identifiers and for every column of which no value may occur twice, marked as an
        identifier or not: a drawn value might repeat. No figure may look at such a column.
        """
        alone = column.primary_key and len(self.primary_key) == 1
        return column.kind == "identifier" or column.unique or alone

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


class Holdout(Record):
    """What no fit ever sees: a share of the units, or a table of its own in `sources`."""

    share: float = Field(default=0.2, gt=0, lt=1)
    sources: dict[str, Source] = Field(default_factory=dict)


class Bars(Record):
    """What a release must reach. Fidelity bars are ratios to the ceiling of a perfect sampler."""

    detection_auc: float = Field(default=0.75, ge=0.5, le=1)
    shape_ratio: float = Field(default=2.0, gt=0, description="shape_error / shape_ceiling")
    trend_ratio: float = Field(default=2.0, gt=0, description="trend_error / trend_ceiling")
    shape_floor: float = Field(
        default=1.0, ge=0, description="Percent; a shape error below it passes at any ratio."
    )
    trend_floor: float = Field(
        default=2.0, ge=0, description="Percent; a trend error below it passes at any ratio."
    )
    utility_gap: float = Field(default=0.05, ge=0, description="trtr - tstr")
    alpha: float = Field(default=0.01, gt=0, lt=0.5, description="Shared by the copy tests (Holm).")
    leak_share: float = Field(
        default=0.05, gt=0, le=0.1, description="A leak of this share must be one that is seen."
    )


class Sampling(Record):
    """How many rows a release holds (None: as many as the training rows) and the seed."""

    rows: int | None = Field(default=None, gt=0)
    seed: int = Field(default=1, ge=0, lt=2**63)


class Privacy(Record):
    """Differential privacy: what one unit may change, at most, in all that is learned.

    Neighbouring tables differ by all rows of one unit, there or not. Bounds and categories that the
    contract names are public; all else is paid for.
    """

    epsilon: float = Field(gt=0, le=1000)
    delta: float = Field(gt=0, lt=0.01)
    rows_per_unit: int | None = Field(
        default=None, ge=1, le=1000, description="At most so many rows of a unit are learned from."
    )
    value_share: float = Field(
        default=0.2, ge=0, le=0.5, description="Of the budget, for values that nobody has listed."
    )
    rows_are_public: bool = False
    total_epsilon: float | None = Field(
        default=None, gt=0, description="Most that all fits of the contract may cost together."
    )


class Contract(Record):
    """A data contract: what the data promise, and what may be made of them."""

    id: Identifier
    version: str
    name: str | None = None
    status: str = "active"
    description: str | None = None
    tables: tuple[Table, ...] = Field(min_length=1)
    holdout: Holdout = Holdout()
    generator: ModelChoice = ModelChoice()
    sampling: Sampling = Sampling()
    bars: Bars = Bars()
    privacy: Privacy | None = None
    share: Share | None = None
    folder: Path = Field(default=Path(), exclude=True, description="Where the file lies.")

    def table(self, name: str) -> Table:
        """The table called `name`; KeyError when there is none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    def identity(self) -> dict[str, Any]:
        """Everything that changes results, as JSON: what content addresses are made of."""
        return self.model_dump(mode="json", exclude={"description", "name", "status"})
