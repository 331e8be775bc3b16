# The commands of the project. Each one sets itself up first: a virtual environment beside the code with
# exactly the packages (and hashes) of requirements.lock.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
ARGS ?=
PROCESSES ?= 2
# Each bounded at its default size; ARGS gives another one to a single bench: make bench BENCHES=campaign ARGS=...
BENCHES ?= suggestion suggestion_devices documents levels mass_balance import_movements trace progress notify answers \
  campaign priority dispositions lot_statuses
PRISM := tests/contract/node_modules/.installed

ifdef DATA
export DATA
endif
# Compiled modules are kept, whatever the image says: else every part of the stack compiles the whole code at each start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test contract check up down status lock openapi deadlines bench chaos

help:
	@echo "make demo [DATA=file]   a whole recall on real servers, checked from outside (no set-up needed)"
	@echo "make test [ARGS=...]    all tests; ARGS goes to pytest, PROCESSES=1 runs them one by one"
	@echo "make contract           our requests to Twilio against Twilio's description (Prism; needs node)"
	@echo "make check              lint, format, types, import rules"
	@echo "make up | status | down the embedded stack; ARGS goes to recall"
	@echo "make bench              figures (not part of the tests)"
	@echo "make chaos              a campaign of 5,000 under 50 random kills; ARGS: --consignees --kills --seed --report"
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

test: $(STAMP) $(PRISM)
	@$(PY) -m pytest --numprocesses $(PROCESSES) $(ARGS)

contract: $(STAMP) $(PRISM)
	@$(PY) -m pytest tests/contract $(ARGS)

# Prism checks our requests to Twilio against Twilio's description; without node those tests are skipped.
$(PRISM): tests/contract/package-lock.json tests/contract/package.json
	@if ! command -v npm >/dev/null; then echo "npm is not installed: the contract tests will be skipped"; \
	elif cd tests/contract && timeout 300 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; \
	then touch node_modules/.installed; else echo "Prism cannot be installed: the contract tests will be skipped"; fi

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
	@for name in $(BENCHES); do echo "== $$name"; $(PY) -m bench.$$name $(ARGS) || exit 1; done

chaos: $(STAMP)
	@$(PY) -m tests.chaos $(ARGS)

openapi: $(STAMP)
	@$(PY) -m cli openapi > openapi.json.new && mv openapi.json.new openapi.json

deadlines: $(STAMP)
	@$(PY) -m cli policy deadlines > docs/deadlines.md.new && mv docs/deadlines.md.new docs/deadlines.md

# uv is only needed here, so it lives apart from the product's environment.
lock:
	@test -x build/lock/bin/uv || { $(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet uv; }
	build/lock/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock
