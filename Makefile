# Every target sets up what it needs first: a .venv beside this file, with pinned dependencies; `demo` the package alone.
# PYTHON chooses the interpreter it is made with: make test PYTHON=python3.12
# ARGS are passed on to pytest: make test ARGS='-k onnx --durations=20'

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
READY_DEV := .venv/ready-dev
READY_DOCS := .venv/ready-docs
# What is imported is compiled then and kept: compiling all of every package takes longer than the rest of setting up.
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt
export PYTHONDONTWRITEBYTECODE :=
SOAK_MINUTES ?= 60
IN_PARALLEL := -n auto --maxprocesses 4 --dist worksteal

.PHONY: demo test test-oldest soak check bench docs format clean

demo: $(READY)  ## the main job on the digits that come with scikit-learn
	$(BIN)/latentmap report digits -o runs/digits --force

test: $(READY_DEV)  ## the whole suite, a process a core: small tensors gain nothing from more threads
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(IN_PARALLEL) $(ARGS)

test-oldest:  ## the whole suite with the lowest versions that pyproject.toml allows, in .venv-oldest
	$(PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct -e '.[dev]'
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest $(IN_PARALLEL) $(ARGS)

soak: $(READY_DEV)  ## an hour of kills, damaged files, full disks and races; make soak SOAK_MINUTES=5 for a short one
	LATENTMAP_SLOW=1 $(BIN)/python -m pytest -q tests/distributed/test_ray.py tests/training/test_ranks.py
	$(BIN)/python -m tests.soak --minutes $(SOAK_MINUTES)

check: $(READY_DEV)  ## lint, types, layers, and what would be released
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	rm -rf build/dist
	$(BIN)/python -m build --no-isolation --outdir build/dist . >/dev/null
	$(BIN)/twine check --strict build/dist/*

bench: $(READY_DEV)  ## short versions of the benchmarks; see bench/README.md for the whole ones
	$(BIN)/python -m bench --short

docs: $(READY_DOCS)  ## the site, its gallery run anew: docs/_build/html/index.html
	rm -rf docs/_build docs/generated docs/gallery
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html

format: $(READY_DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-oldest runs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "latentmap needs Python 3.11 or newer as '$(PYTHON)': install it, or name one with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "'$(PYTHON)' cannot make virtual environments: install its venv package (Debian: python3-venv)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	@touch $@

$(READY_DOCS): $(READY)
	$(PIP) -e '.[docs]'
	@touch $@

$(READY_DEV): $(READY)
	$(PIP) -e '.[dev]'
	@touch $@
