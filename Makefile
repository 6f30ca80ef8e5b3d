# Needs git, make and Python 3.11 to 3.13 (Debian's own Python: apt install python3-venv).
# Another Python: make PYTHON=python3.12 lab

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
LAB    :=

.DEFAULT_GOAL := help
.PHONY: help lab release check test test-long fuzz oracle bench notebooks pictures format clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

lab: $(VENV)/.lab ## open a copy of the course in JupyterLab (LAB="--no-browser --port 8888": options of numakit lab)
	$(BIN)/numakit lab $(LAB) numakit-course

release: $(VENV)/.test ## for lecturers: the students' versions of all exercises, by nbgrader, in teaching/grading/release
	$(BIN)/numakit lab --copy-only --solutions teaching
	$(BIN)/numakit release --folder teaching/grading

check: $(VENV)/.test ## the part of the tests for daily work, under two minutes
	$(BIN)/python tools/run_parts.py --daily

test: $(VENV)/.test ## everything, with the time of each part
	$(BIN)/python tools/run_parts.py

test-long: $(VENV)/.test ## the random tests with many more examples
	$(BIN)/python tools/run_parts.py --long

fuzz: $(VENV)/.test ## play N random worlds (make fuzz N=10000) and print the schedule of one that fails
	$(BIN)/python -m tools.fuzz $(or $(N),10000)

oracle: $(VENV)/.test ## ask real kernels in guests of five nodes whether they still answer as stored (needs QEMU)
	$(BIN)/python -m tools.oracle
	$(BIN)/python -m tools.random_oracle

bench: $(VENV)/.test ## measure again what docs/benchmarks.md tells
	$(BIN)/python -m benchmarks.pipeline --write
	$(BIN)/python -m benchmarks.bulk --write --large
	$(BIN)/python -m benchmarks.browser --write
	$(BIN)/python -m benchmarks.widgets --write
	$(BIN)/python -m benchmarks.experiments --write
	$(PIP) libcachesim
	$(BIN)/python -m benchmarks.trace --write
	$(BIN)/python -m benchmarks.grading tour diagnosis --write

pictures: $(VENV)/.test ## draw the pictures of the documentation
	$(BIN)/python -m tools.pictures

notebooks: $(VENV)/.test ## run every notebook and store its outputs
	$(BIN)/python tools/regenerate_notebooks.py

format: $(VENV)/.test ## let ruff lay out code and notebooks
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

clean: ## remove what make and the tools made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# A failed start leaves half a folder behind, which the next make would take for a whole one.
$(VENV)/.made:
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
	  echo "make: no virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.lab: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing numakit and JupyterLab into $(VENV) (about half a minute)"
	@$(PIP) --editable '.[lab]'
	@touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing numakit, JupyterLab and the test tools into $(VENV) (about half a minute)"
	@$(PIP) --editable '.[lab,test]'
	@touch $(VENV)/.lab $@
