"""How a flow names a model without importing one."""

from typing import Any

from pydantic import Field

from data_contracts.record import Record


class ModelChoice(Record):
    """A registered model by name, with the options of its configuration class.

    The first task of a flow resolves the choice through the registry, so that a wrong name or
    option fails before any work is done.
    """

    name: str = Field(default="any_order", description="Name in the model registry.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of that model; its defaults where left out."
    )
