# Everything is set up by the target that needs it: `make run` and `make test` work on a fresh Debian/Ubuntu.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Real peers on a busy machine: a test that fails beside others and passes alone is shown, not hidden.
TESTS = $(BIN)/python -m pytest -m "not soak"

.PHONY: run test soak fuzz check bench clean

run: $(VENV)/.run
	$(BIN)/dicom-router run config.example.yaml

test: $(VENV)/.test
	tests/install_peers.sh
	$(TESTS) --numprocesses 2 --dist loadfile || { [ $$? = 1 ] && \
	  echo "== What failed beside the other tests is tried once more, alone:" && \
	  $(TESTS) --last-failed --last-failed-no-failures none; }

soak: $(VENV)/.fuzz
	tests/install_peers.sh
	$(BIN)/python -m pytest -m soak

fuzz: $(VENV)/.fuzz
	$(BIN)/python -m pytest -m soak tests/fuzz

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p router
	$(BIN)/mypy plugins

bench: $(VENV)/.test
	tests/install_peers.sh
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build *.egg-info

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { echo "no venv module: apt install python3-venv"; exit 1; }

$(VENV)/.run: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

$(VENV)/.fuzz: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[fuzz]"
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@
