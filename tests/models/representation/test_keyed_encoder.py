"""Codes of rows: the tasks' share is open, the rest is for the holder of the key."""

import json
from pathlib import Path

import numpy as np
import pytest

from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from models.representation.declared import Score, predict, predictor, score
from models.representation.exposure import expose, known_words
from models.representation.keyed_encoder import KeyedEncoder
from models.representation.keyed_noise import fresh_marks, keyed_noise
from tests.models.representation.people import KEY, OTHER_KEY, contract, people

ROWS = people(3000, seed=1)
FRESH = people(3000, seed=2)


@pytest.fixture(scope="module")
def encoder() -> KeyedEncoder:
    agreed = contract(noise=0.16)
    assert agreed.share is not None
    return KeyedEncoder(agreed.share).fit(Dataset(agreed, {"people": ROWS}), seed=1)


def test_noise_is_the_keys_and_the_rows_own() -> None:
    marks = fresh_marks(20_000)
    noise = keyed_noise(KEY, marks, 3)
    assert np.array_equal(noise, keyed_noise(KEY, marks, 3))
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.03
    other = keyed_noise(OTHER_KEY, marks, 3)
    assert abs(np.corrcoef(noise[:, 0], other[:, 0])[0, 1]) < 0.03
    with pytest.raises(ValueError, match="32 bytes"):
        keyed_noise(b"short", marks, 3)


def test_marks_are_different_and_say_nothing_of_the_order() -> None:
    marks = fresh_marks(5000)
    assert len(np.unique(marks)) == 5000
    assert abs(np.corrcoef(marks.astype(float), np.arange(5000))[0, 1]) < 0.06


def test_the_declared_task_can_be_done_on_codes(encoder: KeyedEncoder) -> None:
    learned, asked = (encoder.tasks_.outcomes(frame)[0] for frame in (ROWS, FRESH))

    def scored(one: np.ndarray, other: np.ndarray) -> Score:
        model = predictor(learned, 0).fit(one, learned.answers)
        return score(asked, predict(model, asked, other))

    raw = scored(
        *(encoder.reader_.features(frame, encoder.reader_.names) for frame in (ROWS, FRESH))
    )
    kept = []
    # The noise is new in each run and in each parcel; one alone moves what is kept by .012.
    for _ in range(4):
        codes = [encoder.encode(frame, KEY, fresh_marks(3000)) for frame in (ROWS, FRESH)]
        kept.append(scored(*(found[:, : encoder.open_width] for found in codes)).kept_of(raw))
    assert raw.value > 0.8
    assert np.mean(kept) > 0.85


def test_codes_tell_little_of_columns_that_no_task_needs(encoder: KeyedEncoder) -> None:
    codes = encoder.encode(FRESH, KEY, fresh_marks(3000))
    weight = FRESH["weight"].to_numpy()
    assert max(abs(np.corrcoef(codes[:, place], weight)[0, 1]) for place in range(9)) < 0.2


def test_the_holder_of_the_key_decodes_and_nobody_else(encoder: KeyedEncoder) -> None:
    marks = fresh_marks(3000)
    codes = encoder.encode(FRESH, KEY, marks)
    read = encoder.decode(codes, KEY, marks, seed=1)
    assert list(read.columns) == ["size", "weight", "group", "sign", "bill"]
    hits = (read["sign"].astype(str) == FRESH["sign"].astype(str)).mean()
    wrong = encoder.decode(codes, OTHER_KEY, marks, seed=1)
    # Codes that no row has may be read as values that nobody has.
    told = wrong["sign"].isin(["x", "y"])
    blind = (wrong["sign"].astype(str) == FRESH["sign"].astype(str))[told].mean()
    assert hits > 0.9
    assert told.mean() > 0.5
    assert 0.42 < blind < 0.58


def test_encoding_looks_at_neither_ids_nor_outcomes(encoder: KeyedEncoder) -> None:
    changed = FRESH.assign(id=FRESH["id"] + 7, outcome=FRESH["outcome"].iloc[::-1].to_numpy())
    changed["outcome"] = changed["outcome"].astype(FRESH["outcome"].dtype)
    assert np.array_equal(encoder.clean_codes(FRESH), encoder.clean_codes(changed))


def test_codes_are_bounded_and_their_epsilon_is_the_gaussian_one(encoder: KeyedEncoder) -> None:
    assert np.abs(encoder.clean_codes(FRESH)).max() <= 1
    assert encoder.epsilon(1e-5) > 50
    agreed = contract(noise=8.0, hidden=1)
    assert agreed.share is not None
    noisier = KeyedEncoder(agreed.share)
    noisier.tasks_ = encoder.tasks_
    # Clipped to a box whose diagonal is 2 sqrt(1 + .8^2): mu = .32, by hand about 1.06.
    assert noisier.epsilon(1e-5) == pytest.approx(1.2, abs=0.2)


def test_a_stored_encoder_gives_the_same_codes(encoder: KeyedEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    again = KeyedEncoder.load(tmp_path, contract(known_pairs=5, noise=0.16))
    marks = fresh_marks(3000)
    assert np.array_equal(encoder.encode(FRESH, KEY, marks), again.encode(FRESH, KEY, marks))
    one, other = (found.decode(encoder.encode(FRESH, KEY, marks), KEY, marks, seed=3)
                  for found in (encoder, again))  # fmt: skip
    assert one.equals(other)
    with pytest.raises(ModelError, match="another `share`"):
        KeyedEncoder.load(tmp_path, contract(noise=0.3))
    with pytest.raises(ModelError, match="no stored encoder"):
        KeyedEncoder.load(tmp_path / "nowhere", contract())


def test_an_encoder_is_of_the_columns_that_it_was_made_of(
    encoder: KeyedEncoder, tmp_path: Path
) -> None:
    """Two columns of one type that changed places would be read as each other's values."""
    encoder.save(tmp_path)
    agreed = contract(known_pairs=5, noise=0.16)
    (table,) = agreed.tables
    ident, size, weight, *others = table.columns
    told = size.model_copy(update={"description": "In other words."})
    changed: dict[str, dict[str, object]] = {
        "swapped": {"columns": (ident, weight, size, *others)},
        "fewer": {"columns": (ident, size, *others)},
        "renamed": {"name": "persons"},
    }
    for update in changed.values():
        other = agreed.model_copy(update={"tables": (table.model_copy(update=update),)})
        with pytest.raises(ModelError, match="other columns"):
            KeyedEncoder.load(tmp_path, other)
    retold = table.model_copy(update={"columns": (ident, told, weight, *others)})
    KeyedEncoder.load(tmp_path, agreed.model_copy(update={"tables": (retold,)}))


def test_an_encoder_that_was_edited_is_told(encoder: KeyedEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    path = tmp_path / "encoder.json"
    stored = json.loads(path.read_text())
    for key, value in (("outcomes", [{}]), ("reader", {}), ("share", None)):
        path.write_text(json.dumps({**stored, key: value}))
        with pytest.raises(ModelError, match="Fit it again"):
            KeyedEncoder.load(tmp_path, contract(known_pairs=5, noise=0.16))


def test_numbers_and_groups_are_tasks_too() -> None:
    agreed = contract(
        tasks=({"kind": "regression", "column": "bill"}, {"kind": "clustering", "clusters": 3}),
        epochs=1,
    )
    assert agreed.share is not None
    made = KeyedEncoder(agreed.share).fit(Dataset(agreed, {"people": ROWS.head(600)}), seed=1)
    assert made.open_width == 1 + 2
    bill, cluster = made.tasks_.outcomes(FRESH)
    assert abs(float(bill.answers.std()) - 1) < 0.1
    assert set(np.unique(cluster.answers)) == {0.0, 1.0, 2.0}
    # What tasks find is told by design: attacks count from there, clusters among it.
    exposed = expose(made, ROWS.head(600), FRESH.head(300), (KEY, OTHER_KEY), seed=1)
    assert exposed.released.known.shape[1] == 1 + 3
    assert np.array_equal(exposed.fresh.known[:, 1:].argmax(1), exposed.fresh.outcomes[1].answers)
    assert known_words(made.share, made.table_) == "bill, which of 3 clusters"
