# What a person does here: make run, make test, make test-all, make check, make bench.
PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV ?= .venv-$(VERSION)
BIN := $(VENV)/bin
# One worker more than there are cores, because many tests wait for something.
PARALLEL := -n $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)') --dist worksteal
# What needs a browser, an anvil node, a C compiler, a PostgreSQL server, a package index or Ray, and most of the time,
# or repeats what another test says with one more number: for test-all.
HEAVY := anvil or browser or full or native or packages or postgres or ray
# What says the same on each CPython, or repeats: for the first one of test-all.
ONCE := browser or full or once
# Fewer of the random cases. Only the first CPython of test-all takes the numbers of the tests.
FEWER := BEAMISH_MODEL_SEEDS=100 BEAMISH_MODEL_EXAMPLES=15 TRACKER_LIVES=3 TRACKER_KILLS=4 TRACKER_TAKEOVERS=2 TRACKER_API_EXAMPLES=1 BEAMISH_CLUSTER_SEEDS=3 BEAMISH_TERMS=1000
# What `make soak` does by itself; fewer are quicker: make soak LIVES=150 KILLS=100 TAKEOVERS=20
LIVES ?= 1600
KILLS ?= 1000
TAKEOVERS ?= 100
SEEDS ?= 10000
# Of bench-peers: CPYTHON=3.11; the newest that this machine has if it is not given.
CPYTHON ?=
LOCKED := requirements.lock $(wildcard packages/*/pyproject.toml)

# Tests start hundreds of programs, which would compile every module without the bytecode of others.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test test-all test-everything test-native stress walks check format docs dist bench peers bench-peers bench-tracker bench-native soak soak-cluster soak-native ray lock clean

help:  ## Show what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

$(VENV)/ready: $(LOCKED) tools/environment
	@tools/environment $(PYTHON) $(VENV)

# Only for tests: the tracker and its demo need no Ray.
$(VENV)/ray: $(VENV)/ready packages/beamish/tests/cluster/requirements.txt
	@tools/environment $(PYTHON) $(VENV) packages/beamish/tests/cluster/requirements.txt
	@touch $@

ray: $(VENV)/ray  ## Install Ray, which the tests of beamish.cluster need, into the environment

run: $(VENV)/ready  ## Watch the tracker follow transactions of every kind
	@$(BIN)/txtrack demo

test: $(VENV)/ready  ## Run the tests that need nothing else, on one CPython (PYTHON=python3.12, ARGS="-k registry")
ifdef ARGS
	@$(BIN)/python -m pytest -q $(ARGS)
else
	@$(FEWER) $(MAKE) --no-print-directory test-everything TESTS='-m "not ($(HEAVY))"'
	@echo "those with a browser, an anvil node, a C compiler, a PostgreSQL server, a package index or Ray: make test-all"
endif

test-all:  ## Run every test, on each supported CPython that this machine has
	@rest=; tools/pythons | while read -r version python; do \
		echo "== CPython $$version"; \
		$(MAKE) --no-print-directory ray PYTHON=$$python < /dev/null || exit 1; \
		if [ -z "$$rest" ]; then \
			$(MAKE) --no-print-directory test-everything PYTHON=$$python; \
		else \
			$(FEWER) $(MAKE) --no-print-directory test-everything PYTHON=$$python TESTS='-m "not ($(ONCE))"'; \
		fi < /dev/null || exit 1; \
		rest=yes; \
	done

test-everything: $(VENV)/ready
	@$(BIN)/python -m pytest -q $(PARALLEL) $(TESTS)

test-native: $(VENV)/ready  ## Compile the native core of beamish, and run its tests and all of beamish's with it
	@trap '$(BIN)/python packages/beamish/native/compile.py --remove' EXIT; \
		$(BIN)/python packages/beamish/native/compile.py --required && \
		$(BIN)/python -m pytest -q $(PARALLEL) packages/beamish/tests

stress: $(VENV)/ready  ## Run tests 20 times beside four busy loops: make stress ARGS="--rounds 3 packages"
	@$(BIN)/python tools/stress $(ARGS)

walks: $(VENV)/ready  ## Count the calls and files from one event to its effect: make walks ARGS="c d --list"
	@$(BIN)/python tools/walks $(ARGS)

check: $(VENV)/ready  ## Check format, lint, types, layers and words
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy packages/beamish/src packages/transaction-tracker/src packages/txtrack-devnode/src
	@$(BIN)/basedpyright --pythonpath $(BIN)/python
	@$(BIN)/python -m pytest -q tests/test_layers.py tests/test_names.py tests/test_words.py

format: $(VENV)/ready  ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/ready  ## Build the documentation in docs/_build, warnings as errors
	@$(BIN)/sphinx-build -q -W --keep-going docs docs/_build
	@echo docs/_build/index.html

dist: $(VENV)/ready  ## Build the wheels and source distributions in dist/ (BEAMISH_REPOSITORY=URL adds links)
	@$(BIN)/python tools/dist $(ARGS)

bench: $(VENV)/ready  ## Measure beside the BEAM and beside asyncio by hand; write docs/benchmarks.md
	@$(BIN)/python -m benchmarks

peers:  ## Install other Python libraries into an environment of their own, to measure them
	@tools/pythons | grep "^$(CPYTHON)" | tail -n 1 | { read -r version python; \
		tools/environment $$python .venv-peers-$$version benchmarks/peers/requirements.txt < /dev/null; }

bench-peers: peers  ## Measure beside other Python libraries; write their section of docs/benchmarks.md
	@$$(ls -d .venv-peers-$(CPYTHON)* | tail -n 1)/bin/python -m benchmarks.peers

bench-tracker: $(VENV)/ready  ## Measure the tracker; write docs/tracker-figures.md (ARGS=--all: a million, too)
	@$(BIN)/python -m benchmarks.tracker $(ARGS)

bench-native: $(VENV)/ready  ## Measure beamish with and without its native core, in turns; print a table (ARGS=--quick)
	@$(BIN)/python -m benchmarks.native $(ARGS)

soak: $(VENV)/ready  ## Kill the tracker 1,000 times, judge 10,000 random cases in a hostile world; about 10 minutes
	@echo "$(LIVES) random lives, each judged by what the chain itself says:"
	@TRACKER_LIVES=$(LIVES) $(BIN)/python -m pytest $(PARALLEL) packages/transaction-tracker/tests/lives
	@echo "$(KILLS) times SIGKILL at random moments:"
	@TRACKER_KILLS=$(KILLS) $(BIN)/python -m pytest $(PARALLEL) packages/transaction-tracker/tests/kill
	@echo "$(TAKEOVERS) random take-overs between two machines:"
	@TRACKER_TAKEOVERS=$(TAKEOVERS) $(BIN)/python -m pytest packages/transaction-tracker/tests/standby

soak-cluster: $(VENV)/ray  ## Judge 10,000 random lives of a simulated cluster, then harm a real one; about 2 hours
	@BEAMISH_CLUSTER_SEEDS=$(SEEDS) BEAMISH_CLUSTER_PARTITIONS=1 \
		$(BIN)/python -m pytest -q $(PARALLEL) packages/beamish/tests/cluster

soak-native: $(VENV)/ready  ## Run the native core under sanitizers, without memory and over and over; some minutes
	@$(BIN)/python packages/beamish/tests/native/soak.py

lock:  ## Pin the dependencies again (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --upgrade requirements.in -o requirements.lock

clean:  ## Remove what the other targets made
	rm -rf .venv-* .mypy_cache .pytest_cache .ruff_cache .hypothesis dist docs/_build
