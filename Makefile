# One command per job; laptop, pre-commit and CI call the same ones.
# Each does its own set-up: Python 3.11 and make are all a fresh machine needs.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Scenario tests wait for a bot most of their time, so there is room for more than there are cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 + (os.cpu_count() or 1))')

help: ## Show what can be done here
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Quarterdeck needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv sync --quiet --locked --active --inexact --compile-bytecode
	@touch $@

setup: $(READY) ## Make .venv with everything that uv.lock pins

demo: $(READY) ## Run the bot on local stand-ins and open the playground in a browser
	@$(BIN)/quarterdeck demo

# Bytecode is kept, whatever the machine's habit: else each worker compiles all tests for itself.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(READY) ## Run all tests
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup

lint: $(READY) ## Style, types, architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy -n auto
	@$(BIN)/lint-imports

format: $(READY) ## Rewrite the code in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY) ## Measure speed and cost, as ratios within one run
	@$(BIN)/python -m benchmarks

bench-canary: $(READY) ## Measure the canary judge beside its peers' rules (ARGS=--quick)
	@$(BIN)/python -m benchmarks.canary $(ARGS)

pictures: $(READY) ## Play the story in Chromium and write docs/images
	@$(BIN)/python -m tests.browser.pictures

schema: $(READY) ## Write the catalog's JSON Schema for editors
	@$(BIN)/quarterdeck check --schema > quarterdeck.schema.json

clean: ## Remove what the other targets made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache

.PHONY: help setup demo test lint format bench bench-canary pictures schema clean
