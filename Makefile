# The whole workflow: make install | check | test | bench | demo | serve
# (test-slow adds the tests that take longer; format mends the style.)
# Nothing is reinstalled unless pyproject.toml changed. PYTHON chooses the interpreter (3.11 or 3.12).

PYTHON ?= $(shell for p in python3 python3.12 python3.11; do $$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo $$p && break; done || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := demo
VIDEO ?=
# Tests of one file stay together, as they share what they need; `make test SPREAD=` runs all in one process.
SPREAD := -n 2 --dist loadfile

.PHONY: install check test test-slow bench demo serve format clean

install: $(STAMP)

# basicsr's own build would fetch a second torch, and its requirements pin what nobody else needs: hence two steps.
$(STAMP): pyproject.toml requirements-basicsr.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else f"Python 3.11 or 3.12 is needed, this is {v[0]}.{v[1]}; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1" "setuptools>=77" wheel
	$(BIN)/python -m pip install --quiet --editable . --group dev
	$(BIN)/python -m pip install --quiet --requirement requirements-basicsr.txt
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps basicsr==1.4.2 || echo "basicsr could not be installed: BasicVSR++ checkpoints will not load, everything else works"
	touch $@

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/test_documents.py

test: install
	$(BIN)/python -m pytest $(SPREAD)

test-slow: install
	$(BIN)/python -m pytest $(SPREAD) -m slow

bench: install
	$(BIN)/python -m benchmarks all

demo: install
	$(BIN)/python -m vidprod.demo --output $(DEMO) $(if $(VIDEO),--video "$(VIDEO)")

serve: install
	$(BIN)/vidprod serve

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info $(DEMO) .sdk
