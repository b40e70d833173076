# Everything a newcomer needs: `make demo`, `make test`, `make lint`, `make bench`. Needs Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
KERNELS := $(shell grep -rl --include='*.py' numba sentinel)

.PHONY: setup demo test test-long conformance lint format bench bench-million bench-rules clean

setup: .venv/ready .venv/kernels

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[demo,dev]'
	@touch $@

# All anew where one has changed: numba does not see that a kernel is another one if what it inlines is.
.venv/kernels: .venv/ready $(KERNELS)
	find sentinel -name '*.nb[ic]' -delete
	$(BIN)/python -m sentinel.app.warm
	@touch $@

demo: setup
	$(BIN)/sentinel demo

test: setup
	$(BIN)/python -m pytest -m 'not slow'

test-long: setup
	$(BIN)/python -m pytest -m slow --timeout 900

conformance: setup
	$(BIN)/python -m tests.conformance

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# All parts, or some with settings of theirs: make bench PARTS="throughput repeats=1 latency"; HOW=--quick is short.
bench: setup
	$(BIN)/python -m benchmarks $(HOW) $(PARTS)

# Ten minutes of a million series; fewer with SECONDS_LONG=60.
bench-million: setup
	$(BIN)/python -m benchmarks $(HOW) million $(if $(SECONDS_LONG),seconds=$(SECONDS_LONG))

bench-rules: setup
	$(BIN)/python -m benchmarks.rules

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
