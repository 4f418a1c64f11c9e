"""Files from strangers: refused with a sentence, whatever stands in them, and nothing runs."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.errors import ContractError
from data_contracts.faults import Faults
from data_contracts.safe_yaml import MAXIMUM_BYTES, parse_mapping, plain, read_text

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("---\n", "holds a NoneType"),
        ("- a\n- b\n", "holds a list"),
        ("just words", "holds a str"),
        ("a: 1\na: 2\n", r"line 2: the key 'a' again \(first on line 1\)"),
        ("a:\n  b: 1\n  c: {d: 1, d: 2}\n", "line 3: the key 'd' again"),
        ("1: a\n", "line 1: a key that is not text"),
        ("? [a]\n: b\n", "a key that is not text"),
        ("a: b: c\n", "line 1, column 5: not valid YAML"),
        ("a: [1, 2\n", "not valid YAML"),
        ("a: *nowhere\n", "not valid YAML"),
        ("\tb: 1\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "line 2: a second document"),
        ("a: !!python/object/apply:os.system ['touch ran']\n", "line 1: the tag"),
        ("a: !!python/name:os.system\n", "the tag"),
        ("a: !custom 1\n", "the tag"),
        ("a: !!binary aGVsbG8=\n", "the tag"),
        ("a: &a [*a]\n", "an alias that holds itself"),
        (BOMB, "aliases that multiply"),
        ("a: " + "[" * 200 + "]" * 200, "nested deeper"),
        ("a: " + "{b: " * 100_000, "nested deeper"),
        ("a: 2024-13-45\n", "not valid YAML"),
        ("a: \x00\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_plain_mapping_is_refused(text: str, found: str) -> None:
    with pytest.raises(ContractError, match=found) as caught:
        parse_mapping(text, "some.odcs.yaml")
    assert str(caught.value).startswith("some.odcs.yaml")
    assert not Path("ran").exists()


def test_plain_aliases_and_merges_are_read() -> None:
    text = "base: &base {a: 1}\nhere: *base\nthere:\n  <<: *base\n  b: 2\n"
    assert parse_mapping(text, "x") == {
        "base": {"a": 1},
        "here": {"a": 1},
        "there": {"a": 1, "b": 2},
    }


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(max_size=60) | st.text("ab:-[]{}&*!#|>'\"? \n", max_size=40))
def test_any_text_gives_a_mapping_or_a_contract_error(text: str) -> None:
    try:
        assert isinstance(parse_mapping(text, "x"), dict)
    except ContractError as error:
        assert str(error)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("name: Käse".encode("latin-1"))
    with pytest.raises(ContractError, match="not UTF-8 at byte 7"):
        read_text(file)


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    file = tmp_path / "bom.yaml"
    file.write_bytes("a: 1".encode("utf-8-sig"))
    assert read_text(file) == "a: 1"


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.yaml"
    with file.open("wb") as stream:
        stream.truncate(MAXIMUM_BYTES + 1)
    with pytest.raises(ContractError, match="larger than 5 MB"):
        read_text(file)


def test_a_missing_file_and_a_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="No such file"):
        read_text(tmp_path / "absent.yaml")
    with pytest.raises(ContractError, match="cannot be read"):
        read_text(tmp_path)


def test_dates_and_endless_numbers_become_faults() -> None:
    faults = Faults()
    value = plain(parse_mapping("a: [2024-01-31]\nb: {c: .inf}\nd: .nan\n", "x"), "", faults)
    assert [fault.path for fault in faults.found] == ["a[0]", "b.c", "d"]
    assert value["a"] == ["2024-01-31"]
