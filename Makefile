# Every chore is one command. The environment is made once, and again only when pyproject.toml or constraints.txt change.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# One thread per worker: small matrix products get slower, not faster, when every worker takes every core.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMEXPR_NUM_THREADS=1
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest -n 2 -rs
NONE_IS_FINE := || test $$? -eq 5  # pytest answers 5 when no test carries the mark

.PHONY: help demo test slow realdata lint types format check docs gallery notebooks clean

help:  ## list the chores
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: .venv/demo.stamp  ## audit two models on data that scikit-learn ships: writes audit/audit.html
	$(BIN)/pellucid audit --demo --out audit

test: .venv/dev.stamp  ## the tests, but for the slow ones and those on real data
	$(PYTEST) -m "not slow and not realdata"

slow: .venv/dev.stamp  ## the slow tests
	$(PYTEST) -m "slow and not realdata" $(NONE_IS_FINE)

realdata: .venv/dev.stamp  ## the tests on real data, in the folder that PELLUCID_DATA names
	$(PYTEST) -m realdata $(NONE_IS_FINE)

lint: .venv/dev.stamp  ## style, format, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/dev.stamp  ## static types
	$(BIN)/mypy

format: .venv/dev.stamp  ## put style and format right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint types test  ## what every change must pass

docs: .venv/dev.stamp  ## the documentation site, offline: build/docs/html/index.html
	$(ONE_THREAD) $(BIN)/python docs/make.py

gallery: .venv/dev.stamp  ## the site, its gallery also on a real ImageNet network from PELLUCID_DATA; minutes
	$(ONE_THREAD) $(BIN)/python docs/make.py --real

notebooks: .venv/dev.stamp  ## the notebooks, run, with their pictures: build/notebooks/*.ipynb
	$(ONE_THREAD) $(BIN)/python notebooks/build.py

clean:  ## remove whatever can be made again
	rm -rf .venv audit build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find src tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/demo.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into .venv; the first time takes a few minutes ..."
	@$(INSTALL) --upgrade pip
	@$(INSTALL) --editable '.[torch]'
	@touch $@

.venv/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into .venv with every extra; the first time takes a few minutes ..."
	@$(INSTALL) --upgrade pip
	@$(INSTALL) --editable '.[all,dev]'
	@$(INSTALL) --no-deps grad-cam  # a peer for tests; it asks for torchvision, which is not built for every torch
	@$(INSTALL) --no-deps quantus cachetools  # a peer too; it asks for another build of opencv
	@touch .venv/demo.stamp $@
