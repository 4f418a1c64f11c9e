"""Contracts as files: `load_contract` reads one, `dump_contract` writes what it reads back."""

from pathlib import Path
from typing import Any

import yaml

from data_contracts.contract import Contract
from data_contracts.contradictions import find_contradictions
from data_contracts.faults import Faults
from data_contracts.odcs import read_contract, write_contract
from data_contracts.odcs_schema import check_standard
from data_contracts.safe_yaml import parse_mapping, plain, read_text


def load_contract(path: Path) -> Contract:
    """The contract in an ODCS YAML file, with every promise checked for sense.

    Relative source paths count from the file's folder. Raises ContractError with all faults of the
    file, each with its path inside it, what was found and what to do.
    """
    return parse_contract(read_text(path), path)


def parse_contract(text: str, path: Path) -> Contract:
    """The contract that `text` holds, as if it stood in the file `path` (see `load_contract`)."""
    faults = Faults()
    document = plain(parse_mapping(text, str(path)), "", faults)
    check_standard(document, faults)
    contract = read_contract(document, faults)
    for fault in find_contradictions(contract):
        faults.add(*fault)
    faults.raise_if_any(str(path), document)
    return contract.model_copy(update={"folder": path.parent})


def dump_contract(contract: Contract) -> str:
    """The contract as ODCS v3.1 YAML: `parse_contract` gives the same contract back.

    Values that equal their defaults are left out. Raises ContractError when the contract
    contradicts itself, since no one could load the file.
    """
    faults = Faults(list(find_contradictions(contract)))
    faults.raise_if_any(f"contract {contract.id!r}")
    return yaml.dump(
        write_contract(contract), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )


class _Dumper(yaml.SafeDumper):
    """Writes every value out: an alias would make a contract harder to read and to edit."""

    def ignore_aliases(self, _value: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Text with signs that a reader cannot see is quoted, each of them as its code.

    YAML takes some of them for line ends, which would be lost.
    """
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
