"""What can go wrong with what a user gave us, said so that the user can mend it."""


class UnderstudyError(Exception):
    """An error that a user can act on: the command line shows it without a traceback.

    Messages name the file, the place in it, what was found and what to do. They never hold
    values of personal rows: column names, counts, positions and ranges only.
    """

    exit_code = 1


class ContractError(UnderstudyError):
    """The contract itself is wrong (exit code 2: wrong usage)."""

    exit_code = 2


class SourceError(UnderstudyError):
    """The data source cannot be read as the contract declares it."""


class ProofError(UnderstudyError):
    """The data was read, but breaks the contract by more than the contract tolerates."""


class ModelError(UnderstudyError):
    """A model cannot be fitted, loaded or sampled as asked."""


class StoreError(UnderstudyError):
    """The store cannot be read or written."""


def problem(where: str, found: str, remedy: str) -> str:
    """One error text in the house form: where it is, what was found, what to do."""
    return f"{where}: {found}. {remedy}"
