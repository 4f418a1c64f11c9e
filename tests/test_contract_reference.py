"""The reference of the contract file: its examples load, its tables name every key and default."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from data_contracts import odcs_columns, odcs_tables
from data_contracts.choice import ModelChoice
from data_contracts.contract import (
    Bars,
    Column,
    ForeignKey,
    Holdout,
    Privacy,
    Sampling,
    Source,
    Table,
)
from data_contracts.errors import ContractError
from data_contracts.loading import dump_contract, load_contract, parse_contract
from data_contracts.share import DeclaredTask, Recipient, Share, ShareBars
from models.generators.any_order import AnyOrderOptions
from models.generators.dp_marginals import DpMarginalsOptions
from models.generators.gan import GanOptions
from models.generators.vae import VaeOptions
from models.registry import REGISTRY
from tests.conftest import ROOT

PAGE = (ROOT / "docs/contracts.md").read_text()
BLOCKS = re.findall(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = {yaml.safe_load(body)["id"]: body for kind, _, body in BLOCKS if kind == "yaml"}
PRINTED = {name: body for kind, name, body in BLOCKS if kind == "console"}
OWN: dict[str, tuple[type[BaseModel], tuple[str, ...]]] = {
    "`understudy` at a server": (Source, odcs_tables.SOURCE_KEYS),
    "`understudy` at a table": (Table, odcs_tables.OWN_KEYS),
    "`understudy` at a column": (Column, odcs_columns.OWN_KEYS),
    "Foreign keys": (ForeignKey, tuple(ForeignKey.model_fields)),
    "`holdout`": (Holdout, tuple(Holdout.model_fields)),
    "`generator`": (ModelChoice, tuple(ModelChoice.model_fields)),
    "`options`": (AnyOrderOptions, tuple(AnyOrderOptions.model_fields)),
    "`options` of `vae`": (VaeOptions, tuple(VaeOptions.model_fields)),
    "`options` of `gan`": (GanOptions, tuple(GanOptions.model_fields)),
    "`options` of `dp_marginals`": (DpMarginalsOptions, tuple(DpMarginalsOptions.model_fields)),
    "`sampling`": (Sampling, tuple(Sampling.model_fields)),
    "`bars`": (Bars, tuple(Bars.model_fields)),
    "`privacy`": (Privacy, tuple(Privacy.model_fields)),
    "`share`": (Share, tuple(key for key in Share.model_fields if key != "bars")),
    "`tasks`": (DeclaredTask, tuple(DeclaredTask.model_fields)),
    "`recipients`": (Recipient, tuple(Recipient.model_fields)),
    "`bars` of `share`": (ShareBars, tuple(ShareBars.model_fields)),
}
WORDS = {"true": True, "false": False}


def rows_below(heading: str) -> dict[str, str]:
    """Key to default, from the table of keys below a heading of the fourth level."""
    section = PAGE.split(f"\n#### {heading}\n")[1].split("\n#")[0]
    table = section.split("| key | type | default | meaning |\n")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[1:]]
    return {row[0].strip("`"): row[2].strip("`") for row in cells}


def told_default(text: str) -> object:
    if text in WORDS:
        return WORDS[text]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("heading", OWN)
def test_every_key_is_told_with_its_default(heading: str) -> None:
    model, keys = OWN[heading]
    rows = rows_below(heading)
    assert set(rows) == set(keys)
    for key, told in rows.items():
        default = model.model_fields[key].get_default(call_default_factory=True)
        if default is PydanticUndefined:
            assert told == "required"
        elif default is None:
            assert told == "–"
        else:
            assert told_default(told) == default, key


def test_every_generator_is_told() -> None:
    section = PAGE.split("\n## Generator\n")[1].split("\n## ")[0]
    for name in REGISTRY:
        assert f"| `{name}` |" in section


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_load_and_come_back(name: str) -> None:
    file = Path(f"{name}.odcs.yaml")
    contract = parse_contract(EXAMPLES[name], file)
    assert contract.id == name
    assert parse_contract(dump_contract(contract), file) == contract


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    landing = {kind: body for kind, _, body in BLOCKS if kind in ("csv", "jsonl")}
    (tmp_path / "visits.csv").write_text(landing["csv"])
    (tmp_path / "readings.jsonl").write_text(landing["jsonl"])
    for name, body in EXAMPLES.items():
        (tmp_path / f"{name}.odcs.yaml").write_text(body)
    return tmp_path


@pytest.mark.usefixtures("in_folder")
@pytest.mark.parametrize(("name", "code"), [("visits", 1), ("readings", 0)])
def test_what_checks_print_is_what_is_shown(
    name: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.command_line import app

    with pytest.raises(SystemExit) as ended:
        app(["check", f"{name}.odcs.yaml"])
    printed = capfd.readouterr()
    assert (ended.value.code or 0) == code
    assert PRINTED[name].strip() in printed.out + printed.err


def test_faults_are_told_as_shown(in_folder: Path) -> None:
    file = in_folder / "people.odcs.yaml"
    column = {
        "name": "age",
        "logicalType": "integer",
        "logicalTypeOptions": {"minimum": 120, "maximum": 0},
        "customProperties": [{"property": "understudy", "value": {"role": "targt"}}],
    }
    servers = [{"server": "people", "type": "local", "format": "csv", "path": "people.csv"}]
    body = {
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": "people", "version": "1",
        "servers": servers, "schema": [{"name": "people", "properties": [column]}],
    }  # fmt: skip
    file.write_text(yaml.safe_dump(body))
    with pytest.raises(ContractError) as told:
        load_contract(Path("people.odcs.yaml"))
    assert PRINTED["faults"] == f"understudy: {told.value}\n"
