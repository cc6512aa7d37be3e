# `make help` lists what there is. Everything runs in .venv, which the first call makes.

PYTHON ?= python3
MIRROR := $(wildcard $(CURDIR)/../shared/mirror)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

export ORT_DISABLE_TELEMETRY := 1
ifneq ($(MIRROR),)
export ISOCORTEX_MIRROR ?= $(MIRROR)
endif

.DEFAULT_GOAL := help
.PHONY: help demo study identify serve test soak lint format bench load openapi clean

help: ## Show what there is to make
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(READY) ## Score real networks against real brain recordings and show the leaderboard
	$(BIN)/isocortex demo

study: $(READY) ## Score the networks that isocortex trained, and attribute their scores
	$(BIN)/isocortex study

identify: $(READY) ## Tell the learning rule, and the other parts, of those networks by their activity
	$(BIN)/python -m studies.identification

serve: $(READY) ## Serve the leaderboard and the REST API on http://127.0.0.1:8000
	$(BIN)/isocortex serve

test: $(READY) ## Run the tests
	@# Small matrices: processes side by side are quicker than threads within.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

soak: $(READY) ## Score 200 jobs while workers, server and database are harmed at random
	$(BIN)/python -m pytest tests/jobs -m soak -s

lint: $(READY) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## Bring the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Measure speed and memory against peers, as ratios in one run
	$(BIN)/python -m benchmarks

load: $(READY) ## Measure the server with 300,000 scores: page, weights, requests a second, memory
	$(BIN)/python -m benchmarks.load

openapi: $(READY) ## Write docs/openapi.json anew
	$(BIN)/python -m isocortex.web.openapi > docs/openapi.json

clean: ## Remove what make and Python have made here
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache

# PYTHON if it is at least 3.11, else the newest one that is found.
$(READY): pyproject.toml
	@python="$(PYTHON)"; \
	for each in "$(PYTHON)" python3.13 python3.12 python3.11; do \
		if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python="$$each"; break; fi; \
	done; \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "isocortex needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }; \
	echo "Setting up $(VENV) (once; torch alone takes a minute or more) …"; \
	"$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --upgrade pip --editable '.[dev,postgres]' \
		> $(VENV)/install.log 2>&1 || { tail -n 20 $(VENV)/install.log >&2; exit 1; }
	@# Lightly's losses are a reference of the tests; they need none of its training framework.
	@$(BIN)/python -m pip install --no-deps 'lightly==1.6.0' \
		>> $(VENV)/install.log 2>&1 || { tail -n 20 $(VENV)/install.log >&2; exit 1; }
	@touch $@
