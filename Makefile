# Two commands matter: `make demo` and `make test`. Each does all the set-up that it needs.
PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

.PHONY: setup demo test format peers clean

setup: $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/understudy demo

test: $(VENV)/.installed-development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 3 --dist loadfile

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

# Other generators, for `benchmarks/tabular.py` only: their pins don't fit ours.
peers: $(PEERS)/.installed

$(PEERS)/.installed: benchmarks/peers-constraints.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
		-c benchmarks/peers-constraints.txt sdv mostlyai-engine torch
	# Asked for by mostlyai-engine's texts and pictures alone; built for CUDA, they break its import.
	$(PEERS)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio
	touch $@

clean:
	rm -rf $(VENV) $(PEERS) .mypy_cache .ruff_cache .hypothesis
