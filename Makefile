# Two commands need nothing but Python >= 3.11, git and make: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check lint format schemas docs requirements dev clean examples bench

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit("reprokit needs Python 3.11 or later; try make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/run: .venv/python requirements/run.txt pyproject.toml
	@echo "installing reprokit into .venv"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt 2>&1 | { grep -v '^WARNING' || true; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . 2>&1 | { grep -v '^WARNING' || true; }
	@touch $@

.venv/dev: .venv/run requirements/dev.txt
	@echo "installing the tools of the tests and checks into .venv"
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

.demo/lm-eval/ready: .venv/run requirements/lm-eval.txt
	@echo "installing lm-eval into an environment of its own"
	@mkdir -p .demo
	@$(BIN)/uv venv -q --clear --python $(BIN)/python .demo/lm-eval
	@$(BIN)/uv pip install -q --python .demo/lm-eval/bin/python --require-hashes -r requirements/lm-eval.txt
	@touch $@

# A CPU build of torch is on no plain index: uv looks for it where pip has been told to look for wheels, else on the
# index of torch's own that it knows.
comma := ,
empty :=
LINKS = $(or $(UV_FIND_LINKS),$(subst $(empty) $(empty),$(comma),$(strip $(PIP_FIND_LINKS))))
.demo/torch/ready: .venv/run requirements/torch.txt
	@echo "installing lm-eval and lmms-eval with torch into an environment of their own"
	@mkdir -p .demo
	@$(BIN)/uv venv -q --clear --python $(BIN)/python .demo/torch
	@$(if $(LINKS),UV_FIND_LINKS='$(LINKS)') $(BIN)/uv pip install -q --python .demo/torch/bin/python \
	  --require-hashes --no-deps $(if $(LINKS),,--torch-backend cpu) -r requirements/torch.txt
	@touch $@

.demo/wandb-oldest/ready: .venv/run requirements/wandb-oldest.txt
	@echo "installing reprokit with the oldest W&B client into an environment of its own"
	@mkdir -p .demo
	@$(BIN)/uv venv -q --clear --python $(BIN)/python .demo/wandb-oldest
	@$(BIN)/uv pip install -q --python .demo/wandb-oldest/bin/python --require-hashes -r requirements/wandb-oldest.txt
	@$(BIN)/uv pip install -q --python .demo/wandb-oldest/bin/python --no-deps -e .
	@touch $@

dev: .venv/dev .demo/lm-eval/ready .demo/torch/ready .demo/wandb-oldest/ready ## Make everything one needs to work on reprokit

demo: .venv/run .demo/lm-eval/ready ## Capture, check, reproduce and compare a real evaluation
	@bash examples/demo.sh

test: .venv/dev .demo/lm-eval/ready .demo/torch/ready .demo/wandb-oldest/ready ## Run the tests
	@$(BIN)/pytest -q -n auto --dist loadgroup --cov --cov-report=
	@$(BIN)/coverage report --skip-covered --skip-empty

lint: .venv/dev ## Format, style, types, layers, words, docs
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 4
	@$(BIN)/typos
	@$(BIN)/cog --check docs/*.md
	@$(BIN)/check-jsonschema --check-metaschema schemas/v1/*.json

check: lint test ## What CI runs

format: .venv/dev ## Format the code and bring schemas and docs up to date
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .
	@$(MAKE) -s schemas docs

schemas: .venv/dev ## Write schemas/v1 from the record types
	@$(BIN)/python schemas/generate.py

.venv/bench: .venv/dev requirements/bench.txt
	@echo "installing what the benchmarks measure against into .venv"
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/bench.txt
	@touch $@

bench: .venv/bench ## Measure reprokit against programs people know; takes an hour
	@$(BIN)/python -m benchmarks --write

examples: .venv/dev ## Make the example bundles anew, and put them under DVC
	@bash examples/bundles.sh

docs: .venv/dev ## Write each --help into the docs
	@$(BIN)/cog -r docs/*.md

COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-header --no-annotate
requirements: .venv/run ## Pin what is installed, anew
	@$(COMPILE) pyproject.toml requirements/run.in -o requirements/run.txt
	@$(COMPILE) pyproject.toml requirements/run.in requirements/dev.in -o requirements/dev.txt
	@$(COMPILE) -c requirements/run.txt pyproject.toml requirements/wandb-oldest.in -o requirements/wandb-oldest.txt
	@$(COMPILE) -c requirements/dev.txt requirements/bench.in -o requirements/bench.txt
	@$(COMPILE) requirements/lm-eval.in -o requirements/lm-eval.txt
	@$(if $(LINKS),UV_FIND_LINKS='$(LINKS)') $(COMPILE) \
	  --no-emit-package torchvision --no-emit-package timm requirements/torch.in -o requirements/torch.txt

clean: ## Remove everything that the other targets made
	@rm -rf .venv .demo .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
