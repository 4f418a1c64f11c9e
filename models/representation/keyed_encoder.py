"""The keyed encoder: rows to codes that tasks can use, and back for the holder of the key."""

import json
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from data_contracts.contract import Contract, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.share import Share
from models.base import ProgressCallback
from models.differential_privacy.accounting import epsilon_of, mu_of_gaussian
from models.encoding.column import UNKNOWN, FloatArray, IntArray, State
from models.representation.declared import TaskReader, taught
from models.representation.game import HIDDEN_SHARE, Board, Game, Stakes, holder_of, open_widths
from models.representation.keyed_noise import keyed_noise, on_grid
from models.representation.players import Players, RowEncoder, perceptron
from models.representation.rows import RowReader, units_of
from models.training.chance import global_chance
from models.training.loop import train
from models.training.plan import Company, Objective, TrainingPlan

SETTINGS, ARRAYS = "encoder.json", "encoder.safetensors"
LAYOUT = 1
MARK = "row"
_WIDTH, _ATTACKER_WIDTH, _HEAD_WIDTH = 192, 96, 32
_ROWS_AT_ONCE = 8192
_STEPS, _MOST_EPOCHS = 3000, 100
"""Steps of a game without declared epochs, and most passes: on Adult without public columns a
quarter of them kept .83 of a task's score, and most of them .88 while telling less of sex."""


class KeyedEncoder:
    """Codes rows with noise that a key makes: an encoder with a key, and a holder who can decode.

    A code is an open part, of which the declared tasks keep what they need, and a hidden part a
    tenth as large as the noise over both. Who has the key makes the same noise, takes it off and
    decodes the row as far as the encoder kept it; who has not sees the noise. It is no encryption:
    the open part is meant to be read, and what it tells of a row is measured by attacks.
    """

    reader_: RowReader
    tasks_: TaskReader
    players_: Players

    def __init__(self, share: Share) -> None:
        self.share = share

    def fit(self, data: Dataset, *, seed: int, progress: ProgressCallback | None = None) -> Self:
        """Plays the game on the rows of the contract's one table.

        Tasks are taught by trees that had not seen the row (`taught`). Raises ModelError for tasks
        that the rows do not bear.
        """
        self.table_, frame = data.contract.tables[0], data.frame
        self.reader_ = RowReader().fit(frame, self.table_, outcome_columns(self.share))
        self.tasks_ = TaskReader().fit(self.share.tasks, frame, self.table_, self.reader_)
        board = self._board(frame, seed)
        with global_chance(seed):
            self._make_players(board.classes)
            rows = len(frame)
            batch_rows = min(512, max(rows // 8, 16))
            in_a_pass = -(-rows // batch_rows)
            epochs = self.share.epochs or min(-(-_STEPS // in_a_pass), _MOST_EPOCHS)
            plan = TrainingPlan(
                epochs=epochs, batch_rows=batch_rows, learning_rate=2e-3, average_decay=0.99,
                weight_decay=0.05,
            )  # fmt: skip
            stakes = Stakes(self.share.noise, self.share.adversary_weight, epochs * in_a_pass)
            game = Game(board, self.players_, stakes, _ATTACKER_WIDTH)
        objective = Objective(step=game.step, rows=rows)
        train(self.players_, objective, plan, seed=seed, company=Company(progress=progress))
        return self

    @property
    def open_width(self) -> int:
        """Numbers of a code that tasks read; the rest is for the holder of the key."""
        return sum(open_widths([outcome_classes(one) for one in self.tasks_.outcomes_]))

    @property
    def width(self) -> int:
        return self.open_width + self.share.hidden

    @property
    def column_names(self) -> tuple[str, ...]:
        """The code's columns in a release: those for the tasks, and those for the key's holder."""
        opened = (f"code_{number:02d}" for number in range(self.open_width))
        return (*opened, *(f"hidden_{number:02d}" for number in range(self.share.hidden)))

    def epsilon(self, delta: float, *, copies: int = 1) -> float:
        """The local epsilon at `delta` of one row's code, against who has no key.

        Gaussian noise on a code clipped to a box, of which two rows differ by at most its diagonal;
        against who has the codes of the row in `copies` parcels, each with noise of its own. It
        takes the encoder as fixed, though that was learned from all rows, and holds as far as the
        noise cannot be told from chance without the key.
        """
        noise = self.share.noise
        squares = self.open_width + self.share.hidden * (HIDDEN_SHARE * noise) ** 2
        return epsilon_of(mu_of_gaussian(noise**2, 2 * (copies * squares) ** 0.5), delta)

    def clean_codes(self, frame: pd.DataFrame) -> FloatArray:
        """Codes `(rows, width)` without noise: never to be released."""
        opened, hidden = self._encoded(frame)
        return np.concatenate([opened, HIDDEN_SHARE * self.share.noise * hidden], 1)

    def encode(self, frame: pd.DataFrame, key: bytes, marks: IntArray) -> FloatArray:
        """Codes `(rows, width)` under a key; `marks` names the rows (see `fresh_marks`)."""
        noise = self.share.noise * keyed_noise(key, marks, self.width)
        return on_grid(self.clean_codes(frame) + noise)

    @property
    def outcome_names(self) -> tuple[str, ...]:
        """The columns that tasks predict."""
        return outcome_columns(self.share)

    def answers(self, codes: FloatArray) -> dict[str, npt.NDArray[Any]]:
        """What the tasks' own models read off released codes, as columns `(rows,)`.

        A class has its probability, a number its own unit, a cluster its number.
        """
        opened = torch.tensor(codes[:, : self.open_width]).float()
        found: dict[str, npt.NDArray[Any]] = {}
        for task, head, learned in zip(
            self.share.tasks, self.players_.heads, self.tasks_.outcomes_, strict=True
        ):
            with torch.no_grad():
                said = head(opened)
            if task.kind == "regression":
                numbers = said[:, 0].numpy().astype(np.float64)
                found[f"answer_{task.column}"] = numbers * learned["scale"] + learned["centre"]
            elif task.kind == "clustering":
                found["answer_cluster"] = said.argmax(1).numpy().astype(np.int16)
            else:
                chances = said.softmax(1).numpy()
                for place, name in enumerate(learned["classes"]):
                    found[f"answer_{task.column}={name}"] = chances[:, place]
        return found

    def decode(self, codes: FloatArray, key: bytes, marks: IntArray, *, seed: int) -> pd.DataFrame:
        """Rows as the holder of the key reads them: the likeliest codes, with details drawn.

        Has the columns that were coded, without ids and outcomes. Without the right key it gives
        rows that have next to nothing to do with the true ones.
        """
        clean = codes - self.share.noise * keyed_noise(key, marks, self.width)
        hidden = clean[:, self.open_width :] / (HIDDEN_SHARE * self.share.noise)
        inputs = torch.tensor(np.concatenate([clean[:, : self.open_width], hidden], 1))
        with torch.no_grad():
            logits = self.players_.holder(inputs.float())
        ends = np.cumsum(self.reader_.sizes)[:-1]
        parts = [part.argmax(1) for part in np.split(logits.numpy(), ends, axis=1)]
        found = np.stack(parts, 1).astype(np.int64) + UNKNOWN
        made = self.reader_.codec_.decode(found, np.random.default_rng(seed))
        return made[list(self.reader_.names)]

    def save(self, folder: Path) -> None:
        """Writes the encoder as JSON and safetensors; what reads it cannot run code."""
        folder.mkdir(parents=True, exist_ok=True)
        state = self.reader_.state()
        arrays = {f"reader/{name}": array for name, array in state.arrays.items()}
        for name, tensor in self.players_.state_dict().items():
            arrays[f"players/{name}"] = tensor.numpy()
        outcomes = []
        for number, learned in enumerate(self.tasks_.outcomes_):
            if "centres" in learned:
                arrays[f"centres/{number}"] = learned["centres"]
            outcomes.append({key: one for key, one in learned.items() if key != "centres"})
        settings = {
            "layout": LAYOUT, "table": self.table_.name, "columns": _learned(self.table_),
            "share": self.share.terms(), "reader": state.settings, "outcomes": outcomes,
        }  # fmt: skip
        arrays = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
        save_file(arrays, folder / ARRAYS)
        text = json.dumps(settings, indent=1, allow_nan=False)
        (folder / SETTINGS).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> Self:
        """The encoder that was saved in `folder`; ModelError when there is none that fits."""
        settings, arrays = _read(folder)
        if contract.share is None or contract.share.terms() != settings.get("share"):
            raise ModelError(f"{folder}: made under another `share` of the contract. Fit it again.")
        table = next((one for one in contract.tables if one.name == settings.get("table")), None)
        # Older encoders don't say which columns they were made of.
        if table is None or settings.get("columns", _learned(table)) != _learned(table):
            raise ModelError(
                f"{folder}: made for another table, or for other columns than contract "
                f"{contract.id!r} has by now. Use the contract that lies beside the parcels."
            )
        try:
            return cls(contract.share)._restored(table, settings, arrays)
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{folder}: changed since it was stored ({type(error).__name__}). Fit it again."
            ) from error

    def _restored(self, table: Table, settings: dict[str, Any], arrays: dict[str, Any]) -> Self:
        left_out = outcome_columns(self.share)
        state = State(settings["reader"], _below(arrays, "reader"))
        self.table_, self.reader_ = table, RowReader.restore(table, left_out, state)
        tasks = TaskReader()
        tasks.tasks_, tasks.table_, tasks.reader_ = self.share.tasks, table, self.reader_
        tasks.outcomes_ = settings["outcomes"]
        for number, learned in enumerate(tasks.outcomes_):
            if f"centres/{number}" in arrays:
                learned["centres"] = arrays[f"centres/{number}"]
        self.tasks_ = tasks
        self._make_players(tuple(outcome_classes(one) for one in tasks.outcomes_))
        weights = {name: torch.tensor(one) for name, one in _below(arrays, "players").items()}
        self.players_.load_state_dict(weights)
        self.players_.eval()
        return self

    def _make_players(self, classes: tuple[int, ...]) -> None:
        sizes, opened = self.reader_.sizes, sum(open_widths(classes))
        encoder = RowEncoder(
            sizes=sizes, numbers=len(self.reader_.number_names), open_width=opened,
            hidden_width=self.share.hidden, width=_WIDTH,
        )  # fmt: skip
        heads = nn.ModuleList(perceptron(opened, _HEAD_WIDTH, max(one, 1)) for one in classes)
        holder = holder_of(opened + self.share.hidden, sizes, _WIDTH)
        self.players_ = Players(encoder, heads, holder)

    def _board(self, frame: pd.DataFrame, seed: int) -> Board:
        reader, outcomes = self.reader_, self.tasks_.outcomes(frame)
        features = reader.features(frame, reader.names)
        secrets = secret_columns(self.table_, self.share, reader)
        columns = [self.table_.column(name) for name in secrets]
        classes = [reader.classes(frame, name) for name in secrets]
        known = known_features(reader, self.table_, self.share, frame)
        units = units_of(frame, self.table_)
        taught_ = [taught(one, features, units, seed + n) for n, one in enumerate(outcomes)]
        return Board(
            codes=torch.tensor(reader.codes(frame)),
            numbers=torch.tensor(reader.numbers(frame)).float(),
            said=tuple(torch.tensor(one).float() for one in taught_),
            classes=tuple(outcome.classes for outcome in outcomes),
            known=torch.tensor(np.concatenate([known, *(o.flat() for o in outcomes)], 1)).float(),
            secrets=_stacked(classes, len(frame)),
            secret_sizes=tuple(int(one.max(initial=0)) + 1 for one in classes),
            sensitive=tuple(n for n, column in enumerate(columns) if column.role == "sensitive"),
            sizes=tuple(reader.sizes),
        )

    def _encoded(self, frame: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        codes = torch.tensor(self.reader_.codes(frame))
        numbers = torch.tensor(self.reader_.numbers(frame)).float()
        opened, hidden = [], []
        with torch.no_grad():
            for first in range(0, len(frame), _ROWS_AT_ONCE):
                rows = slice(first, first + _ROWS_AT_ONCE)
                one, other = self.players_.encoder(codes[rows], numbers[rows])
                opened.append(one.double().numpy())
                hidden.append(other.double().numpy())
        return np.concatenate(opened), np.concatenate(hidden)


def outcome_columns(share: Share) -> tuple[str, ...]:
    """The columns that tasks predict: the encoder never sees them."""
    return tuple(task.column for task in share.tasks if task.column is not None)


def outcome_classes(learned: dict[str, Any]) -> int:
    """Classes of a learned task, 0 for numbers."""
    return len(learned["classes"] if "classes" in learned else learned.get("centres", ()))


def public_columns(table: Table, share: Share) -> tuple[str, ...]:
    """What a recipient is taken to know of each row."""
    if share.public is not None:
        return share.public
    return tuple(c.name for c in table.columns if c.role == "quasi_identifier")


def secret_columns(table: Table, share: Share, reader: RowReader) -> tuple[str, ...]:
    """The columns that attackers are after: coded, and not known anyway."""
    known = {*public_columns(table, share), *outcome_columns(share)}
    return tuple(name for name in reader.names if name not in known)


def known_features(
    reader: RowReader, table: Table, share: Share, frame: pd.DataFrame
) -> FloatArray:
    """The public columns as flat features `(rows, features)`."""
    return reader.features(frame, public_columns(table, share))


def _learned(table: Table) -> list[list[Any]]:
    """The columns by which codes are read: in another order they would be others' values."""
    return [[one.name, one.physical_type, table.issues(one)] for one in table.columns]


def _stacked(classes: list[IntArray], rows: int) -> Tensor:
    return torch.tensor(np.stack(classes, 1) if classes else np.zeros((rows, 0), dtype=np.int64))


def _below(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    start = f"{prefix}/"
    return {name[len(start) :]: one for name, one in arrays.items() if name.startswith(start)}


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        arrays = load_file(folder / ARRAYS)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{folder}: no stored encoder ({error}). Fit it again.") from None
    if not isinstance(settings, dict) or settings.get("layout") != LAYOUT:
        raise ModelError(f"{folder / SETTINGS}: not of layout {LAYOUT}. Fit the encoder again.")
    return settings, arrays
