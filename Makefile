# Two commands for everybody: `make demo` and `make test`. CI runs `make check`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Our commands start hundreds of times in the tests, and are read once.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check sweep bench pictures setup system format lock release clean

demo: $(VENV)/.product
	$(BIN)/comptoir demo --dir .comptoir/demo $(DEMO)

setup: $(VENV)/.tests

test: $(VENV)/.tests system
	$(BIN)/python -m pytest

check: $(VENV)/.tests system
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	COMPTOIR_FULL=1 $(BIN)/python -m pytest

# Every screen in every look: themes, contrast, large text, low reach, languages and sizes, over all processors.
sweep: $(VENV)/.tests system
	COMPTOIR_SWEEP=1 $(BIN)/python -m pytest tests/journeys/test_screens.py

bench: $(VENV)/.tests
	$(BIN)/python -m bench

# With `make demo` running beside it.
pictures: $(VENV)/.tests
	$(BIN)/python -m tests.journeys.pictures .comptoir/demo

format: $(VENV)/.tests
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# Each set within the one before it, so that what all have is the same everywhere: everything, the kiosk alone, everything and the tests.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

lock: $(VENV)/.tests
	$(LOCK) --extra demo pyproject.toml -o requirements/demo.txt
	$(LOCK) -c requirements/demo.txt pyproject.toml -o requirements/kiosk.txt
	$(LOCK) --extra test -c requirements/demo.txt pyproject.toml -o requirements/test.txt
	$(BIN)/python requirements/pure.py fonttools requirements/demo.txt requirements/kiosk.txt requirements/test.txt

# What a kiosk is installed from (docs/operating.md): one file with everything, for Debian 12.
release: $(VENV)/.tests
	sh deploy/release $(BIN)/python

# What the tests need of the system: a Chromium for the journeys, a PostgreSQL server for the second run of the marketplace, what a kiosk stands on.
system:
	@sh tests/system.sh

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.product: $(VENV)/bin/python requirements/demo.txt pyproject.toml
	$(PIP) --require-hashes -r requirements/demo.txt
	$(PIP) --no-deps -e .
	touch $@

$(VENV)/.tests: $(VENV)/bin/python requirements/test.txt pyproject.toml
	$(PIP) --require-hashes -r requirements/test.txt
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/.product

clean:
	rm -rf $(VENV) .comptoir build *.egg-info
