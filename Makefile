# Two commands matter: `make demo` and `make test`. Each does all the set-up that it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

.PHONY: setup demo test format clean

setup: $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/understudy demo

test: $(VENV)/.installed-development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

format: $(VENV)/.installed-development
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.installed: constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Understudy needs Python 3.11 or newer.")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation -e .
	touch $@

$(VENV)/.installed-development: $(VENV)/.installed
	$(PIP) --no-build-isolation -e '.[development]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis
