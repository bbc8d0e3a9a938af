# The commands of the repository. Each sets up what it needs; `make` alone lists them.
SHELL := /bin/bash
VENV ?= .venv
PY := $(VENV)/bin/python
export VENV
BENCH_VENV ?= $(VENV)-bench

.PHONY: help setup dev test chaos bench bench-report .ci-venvs lint format messages run demo-break demo-mend demo-reset
.DEFAULT_GOAL := help

help:
	@echo "make run      start everything with the demo (DISTTASK_PORT=8080, DISTTASK_HOME=var)"
	@echo "make demo-break, demo-mend, demo-reset   while it runs: break the inventory, mend it, start over"
	@echo "make test     run the tests (on servers too: see CONTRIBUTING.md)"
	@echo "make chaos    kill, freeze and starve everything, and count (QUICK=1, SEED=n; see docs/safety.md)"
	@echo "make bench    measure beside DBOS, Celery and others (QUICK=1, ONLY=G1,G3, ROUNDS=3; see docs/performance.md)"
	@echo "make lint     check format, lint and types"
	@echo "make format   put format and imports right"
	@echo "make messages bring the Chinese catalogues in step with the sources"
	@echo "make setup    make .venv from the lock, nothing else"

setup:
	@.ci/venv default

dev:
	@.ci/venv dev

run: setup
	@exec $(PY) -m demo.run --end-with-parent

demo-break demo-mend demo-reset: setup
	@$(PY) -m demo.switch $(@:demo-%=%)

test: dev
	@.ci/test $(ARGS)

chaos: dev
	@$(PY) -m tests.chaos $(if $(QUICK),--quick) --seed $(or $(SEED),1) $(ARGS)

bench: .ci-venvs
	@$(PY) -m benchmarks --peer-python $(BENCH_VENV)/bin/python $(if $(QUICK),--quick) $(if $(FRESH),--fresh) \
		--only "$(ONLY)" --rounds $(or $(ROUNDS),3) $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

bench-report: .ci-venvs
	@$(BENCH_VENV)/bin/python -m benchmarks.report

# The peers need an environment of their own: their requirements are not ours.
.ci-venvs:
	@.ci/venv ci
	@VENV=$(BENCH_VENV) .ci/venv bench

lint: dev
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy .

format: dev
	@$(VENV)/bin/ruff check --fix-only .
	@$(VENV)/bin/ruff format .

messages: dev
	@DISTTASK_PROFILE=test $(PY) manage.py messages
