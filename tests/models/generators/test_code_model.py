"""The model of rows of codes: it learns a known distribution, and conditions exactly."""

import numpy as np
import pytest
import torch

from models.encoding.column import UNKNOWN, IntArray, Part
from models.generators import code_model, drawing
from models.generators.code_model import FEWEST_CALIBRATED, CodeModel
from models.generators.drawing import CodeDrawing
from models.generators.packing import HIDDEN, PackedRows
from models.generators.sizes import Sizes
from models.training.plan import TrainingRecord

SIZES = Sizes(width=32, blocks=1, epochs=12, batch_rows=256, learning_rate=5e-3, dropout=0.0)
PARTS = (Part(3), Part(3), Part(4, parent=0, applies_from=1, nested=True))
ROWS = 12_000
# P(second | first): strong enough that independence would be seen.
SECOND = np.array([[0.8, 0.1, 0.1], [0.1, 0.6, 0.3], [0.05, 0.05, 0.9]])


def rows_of(count: int, seed: int) -> IntArray:
    random = np.random.default_rng(seed)
    first = random.choice(3, count, p=[0.5, 0.3, 0.2])
    second = (random.random(count)[:, None] > SECOND[first].cumsum(1)).sum(1)
    detail = np.where(first == 1, 0, random.integers(1, 4, count))
    return np.stack([first, second, np.where(first >= 1, detail, UNKNOWN)], 1)


def packed(model: CodeModel, codes: IntArray) -> PackedRows:
    network_codes = model.layout.to_network(codes)
    hidden = model.layout.hidden(network_codes)
    return PackedRows(network_codes.masked_fill(hidden, HIDDEN).short(), torch.arange(0, 200))


@pytest.fixture(scope="module")
def model() -> CodeModel:
    made = CodeModel.untrained(PARTS, SIZES, seed=1)
    rows = packed(made, rows_of(ROWS, 1))
    made.start_at_marginals(rows)
    made.fit(rows, seed=1)
    return made


def shares(codes: IntArray) -> np.ndarray:
    table = np.zeros((3, 3))
    np.add.at(table, (codes[:, 0], codes[:, 1]), 1)
    return table / table.sum()


def test_it_learns_the_joint_distribution(model: CodeModel) -> None:
    blank = np.full((20_000, 3), UNKNOWN)
    drawn = model.complete(blank, np.random.default_rng(2))
    true = shares(rows_of(400_000, 3))
    # Half the distance between tables, in total variation; independence would be .31 off.
    assert np.abs(shares(drawn) - true).sum() / 2 < 0.03
    assert (drawn[:, 2] == UNKNOWN).tolist() == (drawn[:, 0] == 0).tolist()
    assert (drawn[drawn[:, 0] == 1, 2] == 0).mean() > 0.97


@pytest.mark.parametrize("value", range(3))
def test_given_the_last_the_first_follows_bayes(model: CodeModel, value: int) -> None:
    given = np.full((20_000, 3), UNKNOWN)
    given[:, 1] = value
    drawn = model.complete(given, np.random.default_rng(2))
    assert set(drawn[:, 1]) == {value}
    joint = shares(rows_of(400_000, 3))[:, value]
    found = np.bincount(drawn[:, 0], minlength=3) / len(drawn)
    assert np.abs(found - joint / joint.sum()).sum() / 2 < 0.05


def test_calibration_draws_fewer_rows_only_where_too_little_time_is_left(model: CodeModel) -> None:
    # A stall took nearly all of the training's time; a step of 256 rows takes 3 ms.
    stalled = TrainingRecord(steps=100, seconds=50.0, step_seconds=0.003)
    most = model.calibrated_rows(1000)
    assert model._affordable(most, stalled, 60.0) == model._affordable(most, stalled, None) == most
    in_three_steps = int(0.009 / (0.003 / 256 * len(model.layout.shapes) / 3))
    assert model._affordable(most, stalled, 50.009) == pytest.approx(in_three_steps, abs=1)
    assert model._affordable(most, stalled, 50.0) == FEWEST_CALIBRATED


def test_known_codes_stay_as_they_are(model: CodeModel) -> None:
    codes = rows_of(500, 4)
    hidden = np.random.default_rng(5).random(codes.shape) < 0.5
    given = np.where(hidden, UNKNOWN, codes)
    # A detail can't be given under a parent that is not.
    given[given[:, 0] == UNKNOWN, 2] = UNKNOWN
    drawn = model.complete(given, np.random.default_rng(6))
    np.testing.assert_array_equal(drawn[given != UNKNOWN], given[given != UNKNOWN])
    assert (drawn[:, :2] != UNKNOWN).all()


@pytest.mark.parametrize("temperature", [1e-300, 1e-45, 1e-3])
def test_in_the_cold_only_the_likeliest_is_left(model: CodeModel, temperature: float) -> None:
    given = np.full((300, 3), UNKNOWN)
    given[:, 0] = np.arange(300) % 3
    drawn = model.complete(given, np.random.default_rng(2), temperature=temperature)
    np.testing.assert_array_equal(drawn[:, 1], SECOND.argmax(1)[given[:, 0]])


def test_in_the_heat_only_what_was_seen_is_evened_out(model: CodeModel) -> None:
    given = np.full((3000, 3), UNKNOWN)
    given[:, 0] = 1
    drawn = model.complete(given, np.random.default_rng(2), temperature=1e300)
    assert np.bincount(drawn[:, 1], minlength=3).min() > 900
    # No row of this kind has another detail than the first.
    assert (drawn[:, 2] == 0).all()


def test_sharing_the_work_changes_no_distribution(
    model: CodeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that agree are asked for once; asked one by one they follow the same distribution."""
    blank = torch.full((20_000, len(model.layout.shapes)), -1)

    def draw(at_once: int = 10_000) -> np.ndarray:
        made = CodeDrawing(model.network, model.layout)
        made.asked_groups = at_once
        return shares(made.complete(blank, torch.Generator().manual_seed(7)).numpy())

    grouped = draw()
    # Each row draws anew: two samples of 20,000 rows differ by less than this.
    assert np.abs(grouped - draw(at_once=2)).max() < 0.015
    monkeypatch.setattr(drawing, "SHARED", 0.0)
    assert np.abs(grouped - draw()).max() < 0.005
    assert np.abs(grouped - draw(at_once=700)).max() < 0.015


def test_rows_are_the_same_whatever_the_number_of_threads(
    model: CodeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "SHARED", 0.0)
    monkeypatch.setattr(drawing, "ASKED_NUMBERS", 64 * SIZES.width)
    blank, before = np.full((3000, 3), UNKNOWN), torch.get_num_threads()
    try:
        drawn = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            drawn.append(model.complete(blank, np.random.default_rng(8)))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], drawn[2])


def test_batches_bound_the_memory(model: CodeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_NUMBERS", 100 * SIZES.width)
    drawn = model.complete(np.full((950, 3), UNKNOWN), np.random.default_rng(1))
    assert drawn.shape == (950, 3)
    assert np.abs(shares(drawn) - shares(rows_of(ROWS, 1))).sum() / 2 < 0.1


def test_weights_come_back(model: CodeModel) -> None:
    other = CodeModel.untrained(PARTS, SIZES, seed=9).restore(model.arrays())
    blank = np.full((200, 3), UNKNOWN)
    first, again = (one.complete(blank, np.random.default_rng(2)) for one in (model, other))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("codes", "rows", "drawn"),
    [
        (20, 1000, 20_000),
        (100, 200_000, 20_000),
        (500, 1000, 4_000),
        (20, 300_000, 30_000),
        (20, 10**7, 60_000),
        (500, 10**7, 4_000),
    ],
)
def test_wide_tables_match_their_marginals_on_fewer_rows_and_long_ones_on_more(
    codes: int, rows: int, drawn: int
) -> None:
    sizes = SIZES._replace(width=8)
    assert CodeModel.untrained([Part(2)] * codes, sizes).calibrated_rows(rows) == drawn


def on_a_line(count: int, seed: int) -> IntArray:
    """A place on a line of 60 that leans left or right with a second code, and a spike on it."""
    random = np.random.default_rng(seed)
    side = random.integers(0, 6, count)
    place = np.clip(random.normal(15 + 5 * side, 8).astype(int), 0, 59)
    place = np.where((side == 3) & (random.random(count) < 0.4), 40, place)
    return np.stack([place, side], 1)


def unseen_loss(rows: int, smoothed: float | None, monkeypatch: pytest.MonkeyPatch) -> float:
    if smoothed is not None:
        monkeypatch.setattr(
            code_model, "rows_of_own", lambda *asked: [smoothed] * (len(asked[3]) - 1)
        )
    parts = (Part(60, line=tuple(range(60))), Part(6))
    model = CodeModel.untrained(parts, SIZES._replace(epochs=12_000 // rows), seed=1)
    codes = packed(model, on_a_line(rows, 1))._replace(watched=torch.zeros(0, dtype=torch.long))
    model.start_at_marginals(codes)
    model.fit(codes, seed=1)
    return -float(model.log_probabilities(on_a_line(4_000, 2), [0, 1]).mean())


def test_values_of_few_rows_learn_from_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    # The rule's own strengths first: the other ones stay in place until the test ends.
    few, many = ([unseen_loss(rows, None, monkeypatch)] for rows in (300, 12_000))
    few.append(unseen_loss(300, 0.0, monkeypatch))
    many.append(unseen_loss(12_000, 0.0, monkeypatch))
    assert few[0] < few[1] - 0.015
    # With rows enough, what is sharp stays sharp.
    assert many[0] < many[1] + 0.01


def test_places_are_middle_ranks_along_the_line_and_cells_have_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Value 0 is missing, the others lie in the order 2, 1, 3; 3 has cells. 1, 3 and 6 rows."""
    parts = (Part(4, line=(2, 1, 3)), Part(2, 0, 3, nested=True, line=(0, 1)))
    made = CodeModel.untrained(parts, SIZES._replace(epochs=1), seed=1)
    values = np.repeat([0, 2, 1, 3], [5, 1, 3, 6])
    cells = np.where(values == 3, np.arange(15) % 2, -1)
    waved = []
    heads = made.network.heads
    monkeypatch.setattr(
        heads, "waving", lambda places: waved.append(places) or type(heads).waving(heads, places)
    )
    rows = packed(made, np.stack([values, cells], 1))._replace(watched=torch.zeros(0).long())
    made.start_at_marginals(rows)
    made.fit(rows, seed=1)
    assert list(waved[0]) == [0]
    assert waved[0][0].isnan().tolist() == [True, False, False, False]
    assert waved[0][0][1:].tolist() == pytest.approx([0.25, 0.05, 0.7])
    assert heads.waves is None
    assert not [name for name in made.arrays() if "waves" in name]
