# Two commands do all the set-up on a fresh machine with Python 3.11: `make demo` and `make test`.
PYTHON ?= python3.11
# Where this is set nothing compiled is kept, and each process that the tests start compiles torch again.
unexport PYTHONDONTWRITEBYTECODE
BIN = .venv/bin
# What is imported is compiled then: compiling all of torch and transformers takes longer than the tests do.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

.PHONY: demo test test-all lint docs
demo: .venv/.core
	$(BIN)/maskwright demo

test: .venv/.dev
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/.dev
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/.core
	$(BIN)/python docs/make_reference.py

.venv/.core: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) -e .
	touch $@

.venv/.dev: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) -e '.[dev]'
	touch .venv/.core $@
