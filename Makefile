# The two commands: `make lab` runs the main job on this machine, `make test` proves it. Both do all their own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help lab lab-status lab-shell lab-down lab-logs test check unit e2e soak bench tools schema clean

help: ## what there is to make
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(STAMP): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Fleet needs Python 3.11 or newer; set PYTHON=…")'
	@echo "setting up $(VENV): a minute or two"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --disable-pip-version-check --progress-bar off -r requirements-dev.txt -e . | \
		sed -uE '/^(Collecting|Installing|Successfully)/!d; s/^(.{110}).*/\1…/; s/^/  /'
	@touch $@

lab: $(STAMP) ## a real fleet on this machine, deployed by Pulumi and handed over to Argo CD; TOPOLOGY=split: a stack per environment
	@$(BIN)/fleet lab up $(if $(TOPOLOGY),--topology $(TOPOLOGY))

lab-status: $(STAMP) ## what runs, and what is synced
	@$(BIN)/fleet lab status

lab-shell: $(STAMP) ## a shell in which pulumi, kubectl, argocd and bao work on the lab
	@$(BIN)/fleet lab shell

lab-logs: $(STAMP) ## which logs the lab has; one of them: fleet lab logs PART
	@$(BIN)/fleet lab logs

lab-down: $(STAMP) ## stop the lab; its state is kept
	@$(BIN)/fleet lab down

tools: $(STAMP) ## build or find the lab's tools
	@$(BIN)/python -m lab.toolchain

check: $(STAMP) ## lint, formatting, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

schema: $(STAMP) ## write the stack file's JSON Schema and reference page anew
	@$(BIN)/python -m stacks.loading.schema

unit: $(STAMP) ## unit and whole-program tests on mocks: seconds
	@$(BIN)/pytest tests/unit tests/program -m "not plugins and not e2e"

e2e: $(STAMP) tools ## the lab's plugin and the whole fleet, against real parts in a lab of their own
	@$(BIN)/pytest tests/plugins tests/real tests/e2e

test: check tools ## everything: lint, types, unit, whole-program, against real parts and e2e
	@$(BIN)/pytest

soak: $(STAMP) tools ## what takes too long for CI: 170,000 strange files, 200 services by ten promoters, a run killed at many moments; SEEDS=12 of them
	@FLEET_FUZZ=34000 $(BIN)/pytest tests/unit/test_fuzz_loaders.py
	@SERVICES=200 $(BIN)/pytest tests/real/test_promoters.py
	@$(if $(SEEDS),SEEDS=$(SEEDS)) $(BIN)/pytest tests/soak -s

bench: $(STAMP) tools ## measure the lab: start, no-op, memory, idle
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.bench

clean: ## remove what the checkout's own set-up made
	@rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
