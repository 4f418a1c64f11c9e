"""A first contract from files: profiles them, guesses, and writes what a person then confirms."""

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_contracts.contract import Contract, Source
from data_contracts.contradictions import RESERVED
from data_contracts.errors import ContractError, SourceError
from data_contracts.inference import Draft, Remark, TableProfile, draft_contract
from data_contracts.loading import dump_contract, parse_contract
from data_contracts.record import Record
from tasks.readers import read_chunks, sniff_source

_SUFFIXES = (
    ".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".db", ".sqlite",
    ".sqlite3", ".gz", ".zst", ".bz2", ".lz4",
)  # fmt: skip
_SQLITE = "sqlite:///"
_COLUMN = re.compile(r"^  - name:")
_RULES = re.compile(r"^(  )quality:$|^( +)fixed_combinations:$")
_UNREAD = ("rows have too few or too many fields", "lines are no JSON objects")
_FOUND = (
    "# Found in the data, true of each row read: keep what has to hold, remove what happens to."
)


class Wishes(Record):
    """What a person already knows: the contract's id, the column to predict, a holdout file."""

    contract_id: str | None = None
    target: str | None = None
    holdout: Path | None = None


class Drafted(Record):
    """What was found and guessed, in plain sentences, and the columns that a person confirms."""

    notes: tuple[str, ...]
    confirm: tuple[str, ...] = ()


def draft_contract_file(files: tuple[Path, ...], output: Path, wishes: Wishes) -> Drafted:
    """Writes a contract for the tables in `files`: one table per file, named after it.

    Paths in the contract count from its own folder. Comments above the columns say what was
    guessed. An existing file with other content is left alone.

    Raises ContractError for an output in the way or a wish that cannot be met, and SourceError for
    a file that cannot be read.
    """
    folder = output.resolve().parent
    read = [
        _profile(name, path, folder)
        for name, path in zip(_table_names(files), files, strict=True)
    ]  # fmt: skip
    profiles = [profile for profile, _ in read]
    lost = [
        f"{profile.name}: {count:,} {_UNREAD[profile.source.format == 'jsonl']} and were left out"
        for profile, count in read
        if count
    ]
    unnamed = [
        f"{profile.name}: no header found: first row read as data"
        for profile in profiles
        if not profile.source.header
    ]
    holdout = _add_holdout(profiles, wishes.holdout, folder) if wishes.holdout else {}
    contract_id = wishes.contract_id or _word(_stem(output)) or profiles[0].name
    draft = _with_rules(draft_contract(profiles, contract_id, wishes.target, holdout), folder)
    text = _commented(draft, files, output)
    state = _write(output, text)
    asked = dict.fromkeys(f"{each.table}.{each.column}" for each in draft.remarks if each.question)
    return Drafted(notes=(*state, *unnamed, *lost, *draft.notes), confirm=tuple(asked))


def _table_names(files: tuple[Path, ...]) -> list[str]:
    if not files:
        raise ContractError("No files to draft a contract from. Name at least one.")
    names: list[str] = []
    for path in files:
        named = path.parent if "*" in path.name else path
        plain = _word(_stem(named)) or "table"
        plain = f"{plain}_table" if plain.lower() in RESERVED else plain
        name, number = plain, 2
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return names


def _stem(path: Path) -> str:
    """The file's name without its endings: `people.csv.gz` is people."""
    name = path.name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".odcs")
    while Path(name).suffix.lower() in _SUFFIXES:
        name = Path(name).stem
    return name


def _word(text: str) -> str:
    """The text as an id: letters, digits and underscores, at most 60 of them."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:60]


def _profile(name: str, path: Path, folder: Path) -> tuple[TableProfile, int]:
    """The table's profile, and how many rows could not be split into columns."""
    source: Source = sniff_source(path)
    profile, unreadable = TableProfile(name, _placed(source, path, folder)), 0
    for chunk in read_chunks(source, Path()):
        profile.update(chunk.rows)
        unreadable += len(chunk.unreadable)
    if unreadable > profile.rows:
        raise SourceError(
            f"{path}: {unreadable:,} of {unreadable + profile.rows:,} rows have another number of "
            "fields than its first line. If lines of comment or a title stand above the names of "
            "the columns, take them out."
        )
    return profile, unreadable


def _placed(source: Source, path: Path, folder: Path) -> Source:
    """The source as a contract in `folder` names it."""
    place = Path(os.path.relpath(path.resolve(), folder)).as_posix()
    update = {"url": f"{_SQLITE}{place}"} if source.format == "sql" else {"path": place}
    return source.model_copy(update=update)


def _add_holdout(profiles: Sequence[TableProfile], path: Path, folder: Path) -> dict[str, Source]:
    """The holdout's source under its table; the table's promises are widened to hold there too."""
    held, _ = _profile("holdout", path, folder)
    fitting = [profile for profile in profiles if set(profile.columns) == set(held.columns)]
    if len(fitting) != 1:
        raise ContractError(
            f"holdout {path}: its columns are those of {len(fitting)} tables, not of one. A "
            "holdout has the same columns as the table whose rows it holds back."
        )
    fitting[0].widen(held)
    return {fitting[0].name: held.source}


def _with_rules(draft: Draft, folder: Path) -> Draft:
    """The draft with the rules between columns that every row keeps, a holdout's rows too."""
    from data_contracts.rule_inference import RuleSearch

    tables, notes = [], []
    for table in draft.contract.tables:
        search = RuleSearch(table)
        held = draft.contract.holdout.sources.get(table.name)
        for source in (table.source, *([] if held is None else [held])):
            if not search.columns:
                break
            for chunk in read_chunks(_replaced(source, folder), Path(), search.columns):
                search.update(chunk.rows)
        found = search.proposed()
        tables.append(found.added(table))
        notes += [f"{table.name}: {note}" for note in found.notes]
    contract = draft.contract.model_copy(update={"tables": tuple(tables)})
    return draft._replace(contract=contract, notes=(*draft.notes, *notes))


def _replaced(source: Source, folder: Path) -> Source:
    """A source of a contract in `folder`, which need not be there yet, from wherever we are."""
    if source.format == "sql":
        place = os.path.normpath(folder / str(source.url).removeprefix(_SQLITE))
        return source.model_copy(update={"url": f"{_SQLITE}{place}"})
    return source.model_copy(update={"path": os.path.normpath(folder / str(source.path))})


def _commented(draft: Draft, files: Sequence[Path], output: Path) -> str:
    """The contract's text with what was guessed above each column."""
    plain = dump_contract(draft.contract)
    names = ", ".join(path.name for path in files)
    lines = [
        _comment(f"Drafted from {names}. A person has the last word:"),
        "# mend what is wrong, answer each `confirm` and remove it, then prove the data with",
        _comment(f"understudy check {output.name}"),
        *_with_remarks(plain.splitlines(), draft),
    ]
    text = "\n".join(lines) + "\n"
    return text if _reads_as(text, draft.contract) else plain


def _reads_as(text: str, contract: Contract) -> bool:
    place = Path("draft.odcs.yaml")
    return parse_contract(text, place) == contract.model_copy(update={"folder": place.parent})


def _with_remarks(lines: Sequence[str], draft: Draft) -> Iterator[str]:
    columns = iter(
        (table.name, column.name)
        for table in draft.contract.tables
        for column in table.columns
    )  # fmt: skip
    for line in lines:
        if _COLUMN.match(line):
            place = next(columns, None)
            for remark in draft.remarks:
                if (remark.table, remark.column) == place:
                    yield f"  {_comment(_sentence(remark))}"
        if found := _RULES.match(line):
            yield f"{found[1] or found[2]}{_FOUND}"
        yield line


def _sentence(remark: Remark) -> str:
    return f"confirm: {remark.text}" if remark.question else remark.text


def _comment(text: str) -> str:
    return "# " + "".join(letter if letter.isprintable() else "?" for letter in text)


def _write(output: Path, text: str) -> tuple[str, ...]:
    """Writes the file whole; what it had to say when there was nothing to write."""
    try:
        if output.exists():
            if output.read_bytes() == text.encode():
                return (f"{output} already holds this draft",)
            raise ContractError(
                f"{output}: there is a file already, and it is kept. Move it, or name another "
                "output with -o."
            )
        output.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        os.chmod(draft, 0o644)
        os.replace(draft, output)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ContractError(f"{output}: cannot be written ({reason}). Check the path.") from error
    return ()
