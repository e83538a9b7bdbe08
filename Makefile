# The habits of the house. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# pip compiles only what it copies. The package is used where it stands: compiled here, it starts in two thirds of the
# time also where Python is told to write no bytecode.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m compileall -q webhook
	@touch $(STAMP)

.PHONY: install
install: $(STAMP) ## create the virtual environment and install Gradate into it

certs/tls.crt: | $(STAMP)
	$(BIN)/gradate certs init

.PHONY: certs
certs: certs/tls.crt ## issue development certificates into certs/, unless they exist

.PHONY: run
run: $(STAMP) certs ## install, issue development certificates, and serve
	$(BIN)/gradate serve

.PHONY: test
test: $(STAMP) lint ## install, check style, types and layers, and run every test
	$(BIN)/python -m pytest -n auto

.PHONY: lint
lint: $(STAMP) ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: demo
demo: $(STAMP) ## a dozen reviews decided and explained; a policy version rolled out, back, and out again
	$(BIN)/python -m docs.demo

.PHONY: bench
bench: $(STAMP) ## latency and throughput of the real server beside a bare handler
	$(BIN)/python -m bench.admission

.PHONY: bench-start
bench-start: $(STAMP) ## how soon a server with 50 policies is ready
	$(BIN)/python -m bench.start

.PHONY: bench-journal
bench-journal: $(STAMP) ## what a rollout in progress costs requests, and how fast evidence is written
	$(BIN)/python -m bench.journal

.PHONY: bench-rego
bench-rego: $(STAMP) ## the Rego compiler beside regopy, on policies and inputs of growing size
	$(BIN)/python -m bench.rego

.PHONY: conformance
conformance: $(STAMP) ## OPA's conformance cases through every evaluator
	$(BIN)/python -m pytest tests/conformance

.PHONY: fuzz-rego
fuzz-rego: $(STAMP) ## throw text at the Rego parser for ten minutes
	PYTHONPATH=. $(BIN)/python tests/fuzz/fuzz_rego_parser.py 600

.PHONY: docs
docs: $(STAMP) ## redraw what is drawn from code
	$(BIN)/python docs/draw_rollout_states.py
	$(BIN)/python docs/list_settings.py
	$(BIN)/python -m docs.follow_rule

.PHONY: format
format: $(STAMP) ## reformat the code
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
