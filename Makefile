# Everything a person or a machine does with this checkout. `make` alone lists it.
#
# The virtual environment is made on first use, so `make demo` and `make test` work in a fresh clone.
# On an aarch64 board whose vendor supplies torch (Jetson), the environment sees the system's packages and
# torch is left as it is: pip must never replace it.

PYTHON ?= python3
TORCH  ?= torch==2.13.0 torchvision==0.28.0
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.zfed-ready
WHEELS := dist
SECONDS ?= 60
MINUTES ?= 30
COUNT ?= 1000000

.DEFAULT_GOAL := help
.PHONY: help setup mnist demo test lint check fuzz fuzz-wire fuzz-messages chaos attacks soak bench crowd cover docs wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make the virtual environment, with torch unless it is there

demo: $(READY) ## train MNIST on three workers, an evaluator and a coordinator: five processes
	$(BIN)/zfed demo $(ARGS)

test: $(READY) mnist ## run all tests (about 5 minutes)
	$(BIN)/pytest $(ARGS)

lint: $(READY) ## check format, style, types and the direction of imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## all that has to pass before a change is shared

fuzz: $(READY) ## run simulated faults from fresh seeds for SECONDS, and say which seed breaks a promise
	$(BIN)/python -m zfed.simulation.fuzz --seconds $(SECONDS) $(ARGS)

fuzz-wire: $(READY) ## give any bytes, for SECONDS, to all that reads bytes of others
	$(BIN)/python -m tests.fuzz.wire --seconds $(SECONDS) $(ARGS)

fuzz-messages: $(READY) ## send COUNT forged messages to simulated runs (5 minutes and more for a million)
	$(BIN)/python -m tests.fuzz.messages --count $(COUNT) $(ARGS)

chaos: $(READY) mnist ## kill real processes, cut real links, fill a real disk (15 minutes; some of it as root)
	$(BIN)/pytest tests/chaos $(ARGS)

attacks: $(READY) ## attack a running coordinator from many connections, and measure what it costs (5 minutes)
	$(BIN)/pytest tests/attacks $(ARGS)
	$(BIN)/pytest tests/attacks/floods $(ARGS) # named alone: below another folder it would be passed over

soak: $(READY) ## kill at random for MINUTES, and say if memory or descriptors grow
	$(BIN)/python -m tests.chaos.soak --minutes $(MINUTES) $(ARGS)

bench: $(READY) ## measure kernels against their references, rounds against raw sockets
	$(BIN)/pytest tests/perf --benchmark-only $(ARGS)

crowd: $(READY) ## measure what a thousand workers cost a coordinator
	$(BIN)/python -m tests.perf.crowd $(ARGS)

cover: $(READY) mnist ## run the tests with kernels interpreted, so that coverage sees their loops
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage report --skip-covered --sort=cover

docs: $(READY) ## write the pages that are made from the source
	$(BIN)/python -m zfed.config.document docs/configuration.md

wheel: $(READY) ## build the wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(WHEELS) .

clean: ## remove what was built; the environment, data and runs stay
	rm -rf $(WHEELS) build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# Tests that need MNIST skip, and say so, where it cannot be had.
mnist: $(READY)
	@$(BIN)/zfed data get mnist || echo "make: no MNIST; going on without it, the tests that need it will skip"

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "make: zfed needs Python 3.10 or newer; choose one with PYTHON=python3.11" >&2; exit 1; }
	@if [ ! -x $(BIN)/python ]; then \
	  if [ "$$(uname -m)" = aarch64 ] && $(PYTHON) -c 'import torch' 2>/dev/null; \
	  then $(PYTHON) -m venv --system-site-packages $(VENV); \
	  else $(PYTHON) -m venv $(VENV); fi; fi
	$(BIN)/python -m pip install --quiet --editable '.[dev,plot]'
	@$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet $(TORCH)
	@touch $@
