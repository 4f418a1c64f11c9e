"""What a contract says of sharing coded rows: with whom, for which tasks, and within which bars."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from data_contracts.record import Record

TaskKind = Literal["classification", "regression", "clustering"]
RecipientName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)
]

KEY_PREFIX, AGE_SECRET = "understudy-key-1:", "AGE-SECRET-KEY-1"
"""How secret keys begin, ours and those of age."""


def is_written_out(reference: str) -> bool:
    """Whether a secret key itself stands where a key is named: there it ends in logs.

    Anywhere in it: `env:` and `file:` are often put before the key instead of before its name.
    """
    return any(start in reference.upper() for start in (KEY_PREFIX.upper(), AGE_SECRET))


class DeclaredTask(Record):
    """What a recipient is to do with the codes: predict a column, or find groups of rows."""

    kind: TaskKind
    column: str | None = Field(default=None, description="The column that is predicted.")
    clusters: int | None = Field(default=None, ge=2, le=20, description="How many groups.")

    @property
    def name(self) -> str:
        """What figures call the task."""
        return f"{self.clusters} clusters" if self.column is None else self.column


class Recipient(Record):
    """Who gets a parcel of its own, and where its key is; never the key itself."""

    name: RecipientName
    key: str = Field(description="`file:PATH`, `env:NAME`, `age1...`, or a key service's name.")


class ShareBars(Record):
    """What codes must keep and may tell at most. Gains count above what is known anyway."""

    task_kept: float = Field(
        default=0.95, gt=0, le=1, description="Share of a task's score above its baseline."
    )
    inversion: float = Field(
        default=0.10, gt=0, le=1, description="Accuracy or R2 gained for a column."
    )
    attribute: float = Field(
        default=0.02, gt=0, le=1, description="AUC gained for a sensitive column."
    )
    membership: float = Field(
        default=0.02, gt=0, le=0.5, description="AUC above 0.5 of telling who was learned from."
    )
    relinkage: float = Field(
        default=5.0, ge=1, description="Rows found again between two releases, times chance."
    )


class Share(Record):
    """How `share_representation` codes and seals the rows of a contract's one table."""

    tasks: tuple[DeclaredTask, ...] = Field(min_length=1)
    recipients: tuple[Recipient, ...] = Field(min_length=1)
    holder: str | None = Field(
        default=None,
        description="Key of who may decode codes, named as a recipient's; without it nobody can.",
    )
    outcomes: bool = Field(
        default=False, description="Whether parcels hold the true outcomes of the tasks' columns."
    )
    public: tuple[str, ...] | None = Field(
        default=None,
        description="Columns that a recipient is taken to know of each row; "
        "without it, those of role quasi_identifier.",
    )
    known_pairs: int = Field(
        default=20, ge=0, le=2000, description="Rows of which a recipient may know row and code."
    )
    noise: float = Field(
        default=0.2, gt=0, le=100, description="Deviation of the noise; codes lie within -1 and 1."
    )
    hidden: int = Field(
        default=8, ge=1, le=64, description="Numbers under the noise, for the holder of the key."
    )
    epochs: int | None = Field(
        default=None, ge=1, le=10_000,
        description="Passes over the rows; without it as many as make 3,000 steps, at most 100.",
    )  # fmt: skip
    adversary_weight: float = Field(
        default=1.0, ge=0, le=1000, description="How much attackers' gains count beside the tasks."
    )
    bars: ShareBars = ShareBars()

    def terms(self) -> dict[str, Any]:
        """What makes codes what they are, as JSON: tasks, noise, what is public, how they train.

        Not who gets them, what goes with them, nor how they are judged.
        """
        apart = {"recipients", "holder", "outcomes", "bars", "known_pairs"}
        return self.model_dump(mode="json", exclude=apart)
