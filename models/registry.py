"""Which models there are: names, where their code is, and what they can do."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data_contracts.choice import ModelChoice
from data_contracts.contract import Contract
from data_contracts.errors import ModelError
from models.base import Generator


@dataclass(frozen=True)
class Entry:
    """One model: where its class and its options are, what it learns and what it can do.

    `model` and `options` are `module:name`, imported when the model is asked for and not before.
    `kinds` are kinds of tables. `supports` are powers: `condition` (exact `given=`),
    `wishes` (ranges, choices and shares), `temperature`, `impute`, `density` (`log_density`),
    `embed` (latents of rows), `critic` (scores of rows), `shards` (learns from all parts of a
    `LargeDataset`), `resume` (takes `checkpoints`), `refresh` (takes an `earlier` model),
    `foreign_keys`, `dp` (keeps the contract's `privacy`) or `only_dp` (makes nothing without it).
    """

    model: str
    options: str
    kinds: frozenset[str]
    supports: frozenset[str] = frozenset()


REGISTRY: dict[str, Entry] = {
    "any_order": Entry(
        model="models.generators.any_order:AnyOrderGenerator",
        options="models.generators.any_order:AnyOrderOptions",
        kinds=frozenset({"table"}),
        supports=frozenset(
            {
                "condition",
                "wishes",
                "temperature",
                "impute",
                "density",
                "shards",
                "resume",
                "refresh",
                "dp",
            }
        ),
    ),
    "vae": Entry(
        model="models.generators.vae:VaeGenerator",
        options="models.generators.vae:VaeOptions",
        kinds=frozenset({"table"}),
        supports=frozenset({"embed"}),
    ),
    "gan": Entry(
        model="models.generators.gan:GanGenerator",
        options="models.generators.gan:GanOptions",
        kinds=frozenset({"table"}),
        supports=frozenset({"critic"}),
    ),
    "gaussian_copula": Entry(
        model="models.generators.gaussian_copula:GaussianCopulaGenerator",
        options="models.generators.gaussian_copula:GaussianCopulaOptions",
        kinds=frozenset({"table"}),
        supports=frozenset({"condition"}),
    ),
    "dp_marginals": Entry(
        model="models.generators.dp_marginals:DpMarginalsGenerator",
        options="models.generators.dp_marginals:DpMarginalsOptions",
        kinds=frozenset({"table"}),
        supports=frozenset({"condition", "dp", "only_dp"}),
    ),
    "independent": Entry(
        model="models.generators.independent:IndependentGenerator",
        options="models.generators.independent:IndependentOptions",
        kinds=frozenset({"table"}),
        supports=frozenset({"condition"}),
    ),
    "bootstrap": Entry(
        model="models.generators.bootstrap:BootstrapGenerator",
        options="models.generators.bootstrap:BootstrapOptions",
        kinds=frozenset({"table"}),
    ),
}


NOT_UNDER_PRIVACY = {
    "refresh": "the earlier model's rows would have to be paid for together with the new ones",
    "max_seconds": "how many steps fit into a time hangs on the rows, and no step is unplanned",
    "dropout": "a unit more moves what all units after it draw, and others may know that chance",
}
"""Options that look at rows, or hang on them, beside what is paid for; and why.

Layers draw from torch's own generator, which starts at the same number in every process.
"""


def resolve(choice: ModelChoice) -> Generator:
    """An unfitted generator as chosen; ModelError for a name or an option that does not exist."""
    entry = _entry(choice.name)
    options_class = _imported(entry.options)
    try:
        options = options_class(**choice.options)
    except ValidationError as error:
        raise ModelError(_wrong_options(choice, options_class, error)) from None
    generator: Generator = _imported(entry.model)(options)
    return generator


def check_private_options(choice: ModelChoice) -> None:
    """ModelError for an option that would look at rows without paying, where there is a budget."""
    for name, reason in NOT_UNDER_PRIVACY.items():
        if choice.options.get(name) is not None:
            raise ModelError(
                f"generator {choice.name!r}: {name} does not go with privacy: {reason}. Leave "
                f"{name} out."
            )


def load_generator(contract: Contract, folder: Path) -> Generator:
    """The fitted generator that was saved in `folder`; ModelError when there is none."""
    from models.generators.stored import read_settings

    name = read_settings(folder).get("name")
    loaded: Generator = _imported(_entry(str(name)).model).load(folder, contract)
    return loaded


def _entry(name: str) -> Entry:
    if name not in REGISTRY:
        known = ", ".join(sorted(REGISTRY))
        raise ModelError(f"generator {name!r}: there is none of this name. Use one of {known}.")
    return REGISTRY[name]


def _imported(reference: str) -> Any:
    module, name = reference.split(":")
    return getattr(import_module(module), name)


def _wrong_options(choice: ModelChoice, options_class: Any, error: ValidationError) -> str:
    faults = "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
    )
    known = ", ".join(options_class.model_fields) or "none"
    return f"generator {choice.name!r}: {faults}. Its options: {known}."
