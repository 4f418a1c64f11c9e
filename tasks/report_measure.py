"""What a report has to say of one figure."""

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", "either"]


@dataclass(frozen=True)
class Measure:
    """The words for one figure; `low` and `high` are the ends of its usual scale.

    `too_good` is for a figure that is within its bar and yet undecided: no honest release has it.
    """

    label: str
    meaning: str
    better: Better = "either"
    low: float | None = None
    high: float | None = None
    failing: str = ""
    remedy: str = ""
    too_good: str = ""
