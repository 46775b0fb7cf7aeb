# gongyuan: every task of a checkout. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.set-up

.PHONY: help setup assets demo test long check bench fmt load clean

help: ## List the tasks
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(STAMP): requirements/dev.txt pyproject.toml assets.toml docs/setup/system.sh
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "gongyuan needs Python 3.11 or newer"; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@docs/setup/system.sh run $(PY)
	$(PY) -m server assets fetch
	@touch $@

setup: $(STAMP) ## Make .venv, install the pinned set, fetch the assets

assets: $(STAMP) ## Fetch and check what others made (assets.toml)
	$(PY) -m server assets fetch

demo: $(STAMP) ## Run one whole exam day, from item bank to certificate (about two minutes)
	$(PY) -m server demo $(ARGS)

test: $(STAMP) ## Set up what the tests need and run them all in their short form
	@docs/setup/system.sh test $(PY)
	$(PY) -m pytest -q -n 2 --dist loadfile -m "not long" $(ARGS)

long: $(STAMP) ## The full form of the heavy checks; figures go to docs/measured.md
	@docs/setup/system.sh test $(PY)
	$(PY) -m pytest -q -m long $(ARGS)

check: $(STAMP) ## Format, lint, types, imports
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(STAMP) ## Every headline figure beside its floor (short form; ARGS=--full for the long one)
	$(PY) -m benchmarks $(ARGS)

load: $(STAMP) ## Locust scenarios against a small centre of their own on loopback
	$(PY) -m loadtests $(ARGS)

fmt: $(STAMP) ## Format and fix what can be fixed by itself
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

clean: ## Remove what the tasks made, except .venv
	rm -rf demo-data .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
