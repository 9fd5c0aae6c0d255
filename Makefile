# The two commands to know: `make run` and `make test`. Both make their own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PINS := requirements.lock pyproject.toml deploy/setup.sh
# make run: LISTEN=inet:8891@127.0.0.1 instead of the unix socket, CONFIG=FILE instead of the embedded defaults
LISTEN ?=
CONFIG ?=
# make soak: how long hostile mail is sent; without it processes are killed instead
HOURS ?=
# make test: ARGS='-k postfix -x' goes to pytest
ARGS ?=
# the order of tests, printed with the command: SEED=N make test repeats one
SEED ?= $(shell date +%s)
# files of tests that run side by side, each in one process; JOBS=0: one after the other, in this process
JOBS ?= 2

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.setup-run ## Debian packages and the virtual environment, hash-pinned

test-setup: $(VENV)/.setup-test ## and the servers that the tests start

$(VENV)/.setup-%: $(PINS)
	deploy/setup.sh $*
	touch $@

run: setup ## start filterd in the foreground (LISTEN=inet:8891@127.0.0.1, CONFIG=FILE)
	@exec $(BIN)/filterd run $(if $(CONFIG),--config $(CONFIG)) $(if $(LISTEN),--listen $(LISTEN))

demo: test-setup ## eight messages through a private Postfix, and what became of them
	@$(BIN)/python -m tests.demo

test: test-setup ## all tests, those with real servers included (ARGS goes to pytest)
	$(BIN)/pytest -q -n $(JOBS) --dist loadfile --randomly-seed=$(SEED) $(ARGS)

check: setup ## lint, format, types, layers, documents, known holes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -m docs tests
	$(BIN)/python -m deploy.package.audit

fmt: setup ## format and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: test-setup ## messages per second, waits, CPU and memory
	$(BIN)/python -m tests.bench $(ARGS)

bench-peers: $(VENV)/.setup-bench ## the same beside rspamd, in one run
	$(BIN)/python -m tests.bench --peers $(ARGS)

soak: test-setup ## 1,000 random kills under load; HOURS=24 (or 0.34): hostile mail for so long, and what grows
	$(if $(HOURS),$(BIN)/python -m tests.soak --hours $(HOURS) $(ARGS),FILTERD_KILLS=1000 $(BIN)/pytest -q -m soak --timeout 0 tests $(ARGS))

fuzz: setup ## hostile bytes for every parser
	$(BIN)/pytest -q tests/fuzz $(ARGS)

lock: setup ## pin the newest allowed versions, with hashes
	CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet --upgrade --strip-extras --generate-hashes \
	  --allow-unsafe --extra dev --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --output-file requirements.lock pyproject.toml

screenshots: test-setup ## draw the pictures of docs/ anew: the desk, the dashboard's panels
	$(BIN)/python -m tests.desk docs/quarantine-desk.svg
	$(BIN)/python -m tests.dashboard docs/dashboard.svg

docs: setup ## the documentation site, its printed pages anew, into build/site; no network
	$(BIN)/python -m filterd.config.reference docs/configuration.md
	$(BIN)/python -m filterd.heuristics.reference docs/heuristics.md
	$(BIN)/python -m deploy.site.reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet -f deploy/site/mkdocs.yml

docs-serve: setup ## the same on http://127.0.0.1:8000, anew whenever a page is saved
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --strict -f deploy/site/mkdocs.yml

man: setup ## manual pages and shell completion, into build/man and build/share
	$(BIN)/python -m filterd.cli.manual build

dist: setup ## wheel, source archive and SBOM into dist/, the same bytes each time
	$(BIN)/python -m deploy.package.dist

deb: setup ## a Debian package with its own Python packages, into dist/
	$(BIN)/python -m deploy.package.deb

audit: setup ## known holes in what the lock pins; says so where PyPI cannot be asked
	$(BIN)/python -m deploy.package.audit

clean: ## remove the environment and caches; var/ (state, held mail) stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find filterd tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup test-setup run demo test check fmt bench bench-peers soak fuzz lock screenshots docs docs-serve man clean
