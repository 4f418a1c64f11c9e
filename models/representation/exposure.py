"""What attackers and judges look at: released rows, what is known of them anyway, their codes."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data_contracts.contract import Table
from data_contracts.report import Finding
from data_contracts.share import Share
from models.encoding.column import FloatArray, IntArray
from models.representation.declared import Outcome
from models.representation.keyed_encoder import (
    KeyedEncoder,
    known_features,
    outcome_columns,
    public_columns,
    secret_columns,
)
from models.representation.keyed_noise import fresh_marks
from models.representation.rows import units_of

MOST_ROWS = 12_000
"""Rows of either side that are looked at: intervals are narrow enough, and attacks quick."""
FEWEST_ROWS = 200
"""Attacked rows with which a gain of .1 is told from none; with fewer no attack decides anything.
"""


@dataclass(frozen=True)
class Secret:
    """A column that attackers are after: numbers (NaN missing), or classes from 0."""

    name: str
    truth: FloatArray
    classes: int

    def take(self, rows: IntArray) -> "Secret":
        return replace(self, truth=self.truth[rows])


@dataclass(frozen=True)
class Side:
    """Rows of one kind: released ones, or rows that no fit has seen.

    `codes` and `again` `(rows, width)` are two releases of the same rows under fresh keys. `known`
    is what the attacker has anyway: public columns and the tasks' outcomes. `features` are the raw
    rows as trees take them, without outcomes; `told` are true outcomes that parcels hold. `units`
    `(rows,)` are counted from 0: no attacker learns from rows of a unit that it is asked about.
    """

    codes: FloatArray
    again: FloatArray
    known: FloatArray
    features: FloatArray
    outcomes: tuple[Outcome, ...]
    secrets: tuple[Secret, ...]
    told: FloatArray
    units: IntArray

    @property
    def rows(self) -> int:
        return len(self.codes)

    def take(self, rows: IntArray) -> "Side":
        """The same with rows picked by position."""
        return Side(
            self.codes[rows], self.again[rows], self.known[rows], self.features[rows],
            tuple(one.take(rows) for one in self.outcomes),
            tuple(one.take(rows) for one in self.secrets), self.told[rows], self.units[rows],
        )  # fmt: skip

    def split(self, random: np.random.Generator, rows: int) -> tuple[IntArray, IntArray]:
        """Positions of about so many rows in random order, and those of all units beside them."""
        places = random.permutation(int(self.units.max(initial=0)) + 1)[self.units]
        order = np.lexsort((random.permutation(self.rows), places))
        ends = np.searchsorted(places[order], places[order[min(rows, self.rows) - 1]], "right")
        return order[:ends], order[ends:]


@dataclass(frozen=True)
class Exposure:
    """Released rows and fresh ones, which attackers may also have, without codes.

    `noise` is the deviation of what the keys add, which the attacker knows. `sensitive` names the
    columns that the contract calls so; the first `open_width` numbers of a code are for the tasks.
    `runs` is how often these rows were attacked, this time included: each time is paid for.
    """

    table: str
    released: Side
    fresh: Side
    sensitive: tuple[str, ...]
    noise: float
    open_width: int
    share: Share
    seed: int
    runs: int = 1

    def random(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose])

    @property
    def parts(self) -> dict[str, slice]:
        """The parts of a code that attackers try, by name.

        Without the key the hidden part is nearly noise alone, and a parcel's column names say which
        part it is: who leaves it out sees more in the rest.
        """
        whole = {"whole code": slice(None)}
        if self.released.codes.shape[1] == self.open_width:
            return whole
        return {"open part": slice(0, self.open_width), **whole}

    def with_codes(self, codes: FloatArray, again: FloatArray, fresh: FloatArray) -> "Exposure":
        """The same rows under other codes: what a control is made of.

        Codes of another width are of another kind, and have no hidden part.
        """
        width = codes.shape[1]
        same = width == self.released.codes.shape[1]
        return replace(
            self,
            released=replace(self.released, codes=codes, again=again),
            fresh=replace(self.fresh, codes=fresh, again=fresh),
            open_width=self.open_width if same else width,
        )


def expose(
    encoder: KeyedEncoder,
    released: pd.DataFrame,
    fresh: pd.DataFrame,
    keys: tuple[bytes, bytes],
    *,
    seed: int,
) -> Exposure:
    """Codes both kinds of rows under two keys, as two recipients would get them."""
    table, share = encoder.table_, encoder.share
    picked = [_picked(frame, seed) for frame in (released, fresh)]
    sides = [_side(encoder, table, share, frame, keys) for frame in picked]
    sensitive = tuple(
        column.name
        for column in table.columns
        if column.role == "sensitive" and column.name in {one.name for one in sides[0].secrets}
    )
    return Exposure(
        table=table.name, released=sides[0], fresh=sides[1], sensitive=sensitive,
        noise=share.noise, open_width=encoder.open_width, share=share, seed=seed,
    )  # fmt: skip


def _picked(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    random = np.random.default_rng([seed, 77])
    return frame.iloc[random.permutation(len(frame))[:MOST_ROWS]].reset_index(drop=True)


def _side(
    encoder: KeyedEncoder, table: Table, share: Share, frame: pd.DataFrame, keys: tuple[bytes, ...]
) -> Side:
    reader = encoder.reader_
    outcomes = encoder.tasks_.outcomes(frame)
    codes, again = (encoder.encode(frame, key, fresh_marks(len(frame))) for key in keys)
    known = known_features(reader, table, share, frame)
    told = [one.flat() for one in outcomes if one.task.column is not None]
    # What a task finds is told by design, clusters as well: attacks count from there.
    found = [one.flat() for one in outcomes]
    return Side(
        codes=codes,
        again=again,
        known=np.concatenate([known, *found], 1),
        features=reader.features(frame, reader.names),
        outcomes=outcomes,
        told=np.concatenate([np.zeros((len(frame), 0)), *(told if share.outcomes else [])], 1),
        units=units_of(frame, table),
        secrets=tuple(_secret(encoder, frame, name) for name in _attacked(encoder)),
    )


def _attacked(encoder: KeyedEncoder) -> tuple[str, ...]:
    return secret_columns(encoder.table_, encoder.share, encoder.reader_)


def _secret(encoder: KeyedEncoder, frame: pd.DataFrame, name: str) -> Secret:
    reader = encoder.reader_
    if name in reader.number_names:
        return Secret(name, reader.numbers(frame)[:, reader.number_names.index(name)], 0)
    return Secret(name, reader.classes(frame, name).astype(np.float64), reader.most_classes)


def too_few(name: str, exposure: Exposure, bar: float | None, what: str = "") -> Finding:
    """The finding of an attack that had too few rows to decide anything."""
    return Finding(
        name=name, group="attacks", value=None, bar=bar, table=exposure.table,
        state="inconclusive",
        detail=f"{exposure.released.rows:,} released rows are too few {what}".rstrip()
        + f": an attack that decides needs {FEWEST_ROWS} to be tried on, and others to learn from.",
    )  # fmt: skip


def known_words(share: Share, table: Table) -> str:
    """What the prior holds, in words for a report."""
    clusterings = (f"which of {task.name}" for task in share.tasks if task.column is None)
    names = [*public_columns(table, share), *outcome_columns(share), *clusterings]
    return ", ".join(names) if names else "nothing"
