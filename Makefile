# The commands of the project. Each one sets itself up first: a virtual environment beside the code with
# exactly the packages (and hashes) of requirements.lock.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
ARGS ?=
BENCHES := import_movements trace

ifdef DATA
export DATA
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo test check up down status lock openapi deadlines bench

help:
	@echo "make demo [DATA=file]   a whole recall on real servers, checked from outside (no set-up needed)"
	@echo "make test [ARGS=...]    all tests; ARGS goes to pytest"
	@echo "make check              lint, format, types, import rules"
	@echo "make up | status | down the embedded stack; ARGS goes to recall"
	@echo "make bench              figures (not part of the tests)"
	@echo "make openapi            write openapi.json from the code"
	@echo "make deadlines          write docs/deadlines.md from the regulation profiles"
	@echo "make lock               resolve requirements.lock again"

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; set PYTHON=" if sys.version_info < (3, 11) else 0)'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing the packages of requirements.lock into $(VENV) ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@PYTHONWARNINGS=ignore $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)
	@$(PY) -m demo $(ARGS)

test: $(STAMP)
	@$(PY) -m pytest $(ARGS)

check: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	$(PY) -m pytest tests/test_imports.py

up: $(STAMP)
	@$(VENV)/bin/recall up $(ARGS)

down: $(STAMP)
	@$(VENV)/bin/recall down $(ARGS)

status: $(STAMP)
	@$(VENV)/bin/recall status $(ARGS)

bench: $(STAMP)
	@for file in bench/[a-z]*.py; do echo "== $$file"; $(PY) -m bench.$$(basename $$file .py) $(ARGS) || exit 1; done

openapi: $(STAMP)
	@$(PY) -m cli openapi > openapi.json.new && mv openapi.json.new openapi.json

deadlines: $(STAMP)
	@$(PY) -m cli policy deadlines > docs/deadlines.md.new && mv docs/deadlines.md.new docs/deadlines.md

# uv is only needed here, so it lives apart from the product's environment.
lock:
	@test -x build/lock/bin/uv || { $(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet uv; }
	build/lock/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock
