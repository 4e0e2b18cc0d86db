# `make demo` and `make test` are all that is needed on a fresh clone: Python 3.11 or newer, git and make.
PYTHON ?= python3
# LOCKED=1 installs the versions of constraints.txt, with which tests and demo are known to pass.
LOCKED ?=
VENV := .venv
RUN := $(VENV)/bin/python

# The stamp's name holds pyproject.toml's content and this folder's path: either one changing installs again, once.
STAMP := $(VENV)/.installed-$(shell { cat pyproject.toml $(if $(LOCKED),constraints.txt); pwd; } | cksum | cut -d ' ' -f 1)

# The stages of dvc.yaml call `python`: it has to be the one of .venv. Nothing is reported to anybody.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: help venv demo test lint bench docs audit

help:
	@echo "make demo    run the whole pipeline on the embedded input and print the results table"
	@echo "make test    ruff, mypy, import-linter and pytest"
	@echo "make lint    ruff, mypy and import-linter alone"
	@echo "make bench   side-by-side measurements (BENCH=codec for one of them)"
	@echo "make docs    build the documents into site/"
	@echo "make audit   known faults of the installed packages (pip-audit)"
	@echo "LOCKED=1     with any of these: install the versions of constraints.txt"
	@echo "make venv    create .venv and install the project into it (the others do this themselves)"

venv: $(STAMP)

$(STAMP):
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "make: no '$(PYTHON)' on the PATH. Next: install Python 3.11 or newer, or run make PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1), and 3.11 or newer is needed. Next: make PYTHON=python3.12, or any newer one" >&2; exit 1; }
	@test -x $(RUN) || { echo "creating $(VENV)"; "$(PYTHON)" -m venv $(VENV); } || { \
	  echo "make: cannot create $(VENV). Next: install the venv module of '$(PYTHON)' (Debian: python3-venv)" >&2; exit 1; }
	@echo "installing the project into $(VENV) (several minutes the first time)"
	@$(RUN) -m pip --disable-pip-version-check install --quiet --use-pep517 $(if $(LOCKED),--constraint constraints.txt) --editable '.[dev]'
	@rm -f $(VENV)/.installed-*
	@touch $@

demo: venv
	@test -f .dvc/config || $(RUN) -m dvc init --quiet --force $$(git rev-parse --git-dir >/dev/null 2>&1 || echo --no-scm)
	@$(RUN) -m dvc repro
	@$(RUN) -m pipelines.report --table
	@$(RUN) -m pipelines.report --run
	@echo "report: $(CURDIR)/reports/index.html"

lint: venv
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy
	@PYTHONPATH=. $(VENV)/bin/lint-imports --no-cache --no-logo || { \
	  echo "make: an import goes up or sideways in the house. Next: see docs/architecture.md and the list in pyproject.toml" >&2; exit 1; }

test: lint
	@$(RUN) -m pytest -n 2 --dist worksteal

docs: venv
	@$(RUN) -m mkdocs build --quiet --strict
	@echo "documents: $(CURDIR)/site/index.html"

audit: venv
	@$(RUN) -m pip_audit --skip-editable --progress-spinner off

bench: venv
	@$(RUN) -m benchmarks $(BENCH)
