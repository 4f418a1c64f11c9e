"""The house rules of docs/architecture.md that a machine can hold."""

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {
    "data_contracts": {"data_contracts"},
    "models": {"models", "data_contracts"},
    "tasks": {"tasks", "models", "data_contracts"},
    "flows": {"flows", "tasks", "data_contracts"},
}
FORBIDDEN = {
    "data_contracts": {"torch", "sklearn", "prefect", "sqlalchemy"},
    "models": {"prefect", "great_expectations", "sqlalchemy", "requests", "httpx", "os"},
    "tasks": {"great_expectations"},
    "flows": {"pandas", "torch", "numpy", "pyarrow", "sklearn", "great_expectations"},
}
# The verbs' folders in the order in which they may build on each other.
MODEL_LEVELS = {
    "nets": 0,
    "encoding": 0,
    "training": 0,
    "differential_privacy": 0,
    "generators": 1,
    "evaluation": 2,
    "representation": 3,
    "privacy": 3,
}
CATCH_ALLS = {"utils", "common", "helpers", "core", "lib"}
SOURCES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
FLOW_FILES = [path for path in (ROOT / "flows").glob("*.py") if path.stem != "__init__"]


def imported(path: Path) -> set[str]:
    """Dotted names of all imports in a file, lazy ones inside functions included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_layers_import_downwards_only(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    heads = {name.split(".")[0] for name in imported(path)}
    assert not (heads & (set(LAYERS) | {"tests", "benchmarks"})) - LAYERS[layer]
    forbidden = FORBIDDEN[layer] & heads
    assert not forbidden
    if "great_expectations" in heads:
        assert relative(path) == "data_contracts/expectations.py"


@pytest.mark.parametrize("path", [p for p in SOURCES if "models" in p.parts], ids=relative)
def test_model_folders_build_in_order(path: Path) -> None:
    own = MODEL_LEVELS.get(path.relative_to(ROOT / "models").parts[0])
    if own is None:
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "models" and len(parts) > 1 and parts[1] in MODEL_LEVELS:
            assert MODEL_LEVELS[parts[1]] <= own, f"{relative(path)} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_sizes(path: Path) -> None:
    text = path.read_text()
    assert path.stem not in CATCH_ALLS
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documentation = ast.get_docstring(node, clean=False) or ""
            extra = documentation.count("\n") + 1 if documentation else 0
            length = (node.end_lineno or 0) - node.lineno + 1 - extra
            assert length <= 60, f"{relative(path)}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", FLOW_FILES, ids=relative)
def test_flow_files_are_short_and_safely_named(path: Path) -> None:
    text = path.read_text()
    if path.stem not in ("command_line", "model_commands", "sharing_commands"):
        assert text.count("\n") <= 80
    assert not any(isinstance(node, ast.ClassDef) for node in ast.walk(ast.parse(text)))
    taken = set(sys.stdlib_module_names) | set(LAYERS) | set(packages_distributions())
    assert path.stem not in taken - {"flows"}


def test_importing_a_flow_loads_neither_torch_nor_great_expectations() -> None:
    names = ", ".join(f"flows.{path.stem}" for path in FLOW_FILES)
    program = (
        f"import sys, {names}\n"
        "heavy = {'torch', 'great_expectations', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_every_deployment_resolves() -> None:
    from prefect.flows import load_flow_from_entrypoint

    settings = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    for deployment in settings["deployments"]:
        flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
        function = deployment["entrypoint"].rsplit(".", 1)[1]
        assert flow.name == function.replace("_", "-")
        assert (ROOT / deployment["parameters"]["contract"]).exists()
        assert all(not schedule["active"] for schedule in deployment["schedules"])


def test_no_code_runs_when_data_or_models_are_loaded() -> None:
    dangerous = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    for path in SOURCES:
        heads = {name.split(".")[0] for name in imported(path)}
        assert not heads & dangerous, relative(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile"}, relative(path)
