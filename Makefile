# `make help` lists what there is. PYTHON names the interpreter the environment is made with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cline
STAMP := $(VENV)/.installed
CHECKED := cline_cli tests docs

export CLINE_MODELS_DIR ?= $(CACHE)/models
export CLINE_TEST_MODELS_DIR ?= $(CLINE_MODELS_DIR)

.DEFAULT_GOAL := help
.PHONY: help install demo test suite weights lint types format docs docs-check pictures check clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make the environment, with the pinned tools

$(STAMP): pyproject.toml .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cline needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c .ci/constraints.txt -e '.[local,dev]'
	@touch $@

demo: install ## Fetch a small model, ask it a question, let it mend a sample project
	@$(BIN)/python docs/demo/run.py

test: install weights lint types suite ## Lint, types and the whole suite: what CI runs

suite: install
	$(BIN)/python -m pytest -n auto --dist worksteal

weights: install
	@$(BIN)/cline local install qwen2.5-coder-0.5b

lint: install ## Check the style
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)

types: install ## Check the types
	$(BIN)/mypy

format: install ## Put the style right
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

docs: install ## Write the help texts and the pages that come from code
	$(BIN)/python docs/generate.py

docs-check: install ## Check that they are up to date
	$(BIN)/python docs/generate.py --check

pictures: install ## Make the pictures of docs/console.md, from real runs
	$(BIN)/python docs/pictures/make.py

check: lint types docs-check suite ## Everything but fetching weights

clean: ## Take the environment away
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
