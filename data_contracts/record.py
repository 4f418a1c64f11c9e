"""The base of every noun: a frozen record that refuses keys it does not know."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen pydantic record; an unknown key is an error, never silently dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")
