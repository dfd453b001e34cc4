# On a fresh machine type `make run` or `make test`. Both set up what they need.
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 4

.PHONY: help setup run test test-engines torture check bench lock schemas diagrams pictures clean

help:
	@echo "make run     set up, then run the workflows in specs/ (without a terminal: until all are done)"
	@echo "make test    set up, then run the tests"
	@echo "make test-engines   install what engines need, where that is possible, and test with real ones"
	@echo "make torture kill treadle at random and feed it nonsense for 30 minutes, and print figures (TRIGGERS=600: seconds of them)"
	@echo "make check   lint, format, types, imports between packages, generated schemas and diagrams"
	@echo "make bench   compare with bare processes and make (CORPORA=DIR adds recorded DAGs)"
	@echo "make setup   make .venv, with .venv/bin/treadle and everything for development"
	@echo "make lock    pin the newest versions of the dependencies"
	@echo "make schemas generate schemas/ from the models"
	@echo "make diagrams draw docs/states.md and the pictures of DAGs"
	@echo "make pictures make the pictures of the page in docs/pictures, with a browser"
	@echo "make clean   remove everything that these commands made"

PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

setup: .venv/.ready

# What treadle needs to run. It is built with what the lock has, so no other package runs here.
.venv/.runs: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "treadle needs Python 3.11 or later; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "installing treadle into .venv; this takes about 15 seconds"
	@$(PYTHON) -m venv .venv
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# What its tests and checks need, too.
.venv/.ready: .venv/.runs requirements-dev.lock
	@echo "installing what the tests need into .venv; this takes about 30 seconds"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

run: .venv/.runs
	@if [ -t 1 ]; then $(BIN)/treadle up; else $(BIN)/treadle up --once; fi

test: setup
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

# As root on Debian it installs them; elsewhere the tests say what is missing.
ENGINES := podman runc busybox-static slurm-wlm munge

test-engines: setup
	@[ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || dpkg --status $(ENGINES) >/dev/null 2>&1 || \
		apt-get install --quiet=2 --yes --no-install-recommends $(ENGINES) || true
	PYTHONPATH=tests $(BIN)/python -m engines.trial -n $(JOBS) --dist loadfile

torture: setup
	PYTHONPATH=tests $(BIN)/python -m processes.torture $(if $(TRIGGERS),--triggers $(TRIGGERS))
	$(BIN)/python -m pytest -q -n $(JOBS) --hypothesis-profile torture tests/properties/test_nonsense.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/treadle schema --check
	PYTHONPATH=tests $(BIN)/python -m diagrams --check

bench: setup
	$(BIN)/python -m benchmarks $(if $(CORPORA),--corpora $(CORPORA))

schemas: setup
	$(BIN)/treadle schema --write schemas

diagrams: setup
	PYTHONPATH=tests $(BIN)/python -m diagrams --write

pictures: setup
	PYTHONPATH=tests $(BIN)/python -m page.pictures docs/pictures

UV = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-emit-find-links --extra web pyproject.toml

lock:
	$(PYTHON) -m venv .venv
	$(PIP) uv
	$(UV) --upgrade --group build --group dev --output-file requirements-dev.lock
	$(UV) --group build --constraint requirements-dev.lock --output-file requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
