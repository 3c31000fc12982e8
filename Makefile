# Everything runs from a bare checkout: the first target makes .venv and installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help tour test test-numpy test-slow lint types bench docs clean

help:            ## show this list
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

$(BIN)/python:
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info[:2], f"found Python {sys.version.split()[0]}, expected 3.11 or newer: run make PYTHON=python3.12"'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

tour: $(VENV)/installed  ## the whole job on real images: train, prune, quantize, look; writes tour/index.html
	$(BIN)/minidl tour

test: $(VENV)/installed-dev  ## the tests, a few minutes
	$(BIN)/python -m pytest

test-numpy: $(VENV)/installed-dev  ## the engine's tests on the NumPy definitions, as where numba does not exist
	MINIDL_BACKEND=numpy $(BIN)/python -m pytest tests/autograd tests/ops tests/nn tests/graph tests/optim tests/training

test-slow: $(VENV)/installed-dev  ## the long tests
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed-dev  ## style
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/installed-dev  ## mypy, strict on minidl
	$(BIN)/mypy

bench: $(VENV)/installed-bench  ## time everything beside PyTorch and ONNX Runtime, write docs/performance.md; BENCH=--quick
	$(BIN)/python tests/bench/run.py --out docs/results/bench.json $(BENCH)
	$(BIN)/python tests/bench/page.py docs/results/bench.json
	$(BIN)/python tests/bench/readme.py docs/results/bench.json

clean:           ## remove what the targets above made, not your runs
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
