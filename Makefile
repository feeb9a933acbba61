# Everything here needs only make and Python 3.11 or newer; the rest is installed into .venv beside this file.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench soak audit pins venv clean

# Nothing of the caller's Python may leak in: neither paths nor an active environment nor pip's other targets.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE VIRTUAL_ENV CONDA_PREFIX MYPYPATH PYTEST_ADDOPTS
unexport PYTHONDONTWRITEBYTECODE  # tests start a hundred processes, each of which would compile every source anew
unexport PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := .venv/bin
# The compiler of the contracts, in an environment of its own: it pins libraries that the exchange has newer.
VYPER := 0.4.3
# A second machine for the contracts' tests, apart from us for the same reason; and a node of Ethereum, from npm.
TITANOBOA := 0.2.8
ANVIL := 1.7.1
PYTHONS := python3.11 python3.12 python3.13 python3 python

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

demo: .venv/ready-to-run ## replay a real crash in every margin mode, write the report; prove a batch of it and settle it
	@$(BIN)/bulkhead demo

test: .venv/ready-to-check ## run every test
	@$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

check: .venv/ready-to-check ## lint, types, layers and house rules
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python tools/tidy.py
	@$(BIN)/python tools/spec.py --check
	@$(BIN)/python tools/security.py --check
	@$(BIN)/python tools/circuit.py --check
	@$(BIN)/python tools/contracts.py --check

bench: .venv/ready-to-bench ## measure every figure beside its reference
	@$(BIN)/python -m benchmarks

soak: .venv/ready-to-check ## a thousand random batches on ledger and circuit
	@$(BIN)/python tools/soak.py

audit: .venv/ready-to-check ## ask the package index for known holes in what is installed
	@test -x .venv/audit/bin/pip-audit || { $(BIN)/python -m venv .venv/audit && .venv/audit/bin/python -m pip install --quiet 'pip-audit>=2.10,<3'; }
	@.venv/audit/bin/pip-audit --disable-pip --no-deps --progress-spinner off --requirement constraints.txt

pins: .venv/ready-to-check ## choose the newest versions that fit together, into constraints.txt
	@test -x .venv/audit/bin/uv || { $(BIN)/python -m venv .venv/audit && .venv/audit/bin/python -m pip install --quiet 'uv>=0.9,<1'; }
	@sed -n 1p constraints.txt > .venv/pins && .venv/audit/bin/uv pip compile --quiet --universal --upgrade --python-version 3.11 \
	    --all-extras --no-header --no-annotate pyproject.toml >> .venv/pins && mv .venv/pins constraints.txt

venv: .venv/ready-to-check ## set up .venv for working on the code

clean: ## remove .venv and what the tools left behind
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov build dist
	@find src tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null; true

# A file of its own, touched last: a set-up that was cut off starts anew.
.venv/made:
	@for python in $(PYTHONS); do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	            echo "$$python has no venv module (on Debian and Ubuntu: apt install python3-venv); trying the next" >&2; \
	            continue; \
	        fi; \
	        echo "Setting up .venv with $$($$python --version) (once; a minute or two)"; \
	        $$python -m venv --clear .venv && touch $@ && exit 0; \
	        rm -rf .venv; \
	        exit 1; \
	    fi; \
	done; \
	echo "Bulkhead needs Python 3.11 or newer with its venv module; none of these is: $(PYTHONS)." >&2; \
	echo "Install one, or name yours: make PYTHONS=/path/to/python3.11 ..." >&2; \
	exit 1

# The demo compiles the verifier of its own venue's key, and runs it natively.
.venv/ready-to-run: pyproject.toml constraints.txt .venv/vyper/$(VYPER) | .venv/made
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[native]'
	@touch $@

.venv/ready-to-check: pyproject.toml constraints.txt .venv/vyper/$(VYPER) .venv/titanoboa/$(TITANOBOA) | .venv/made .venv/anvil/$(ANVIL)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch .venv/ready-to-run $@

.venv/vyper/$(VYPER): | .venv/made
	@$(BIN)/python -m venv .venv/vyper && .venv/vyper/bin/python -m pip install --quiet vyper==$(VYPER)
	@touch $@

.venv/titanoboa/$(TITANOBOA): | .venv/made
	@$(BIN)/python -m venv .venv/titanoboa && .venv/titanoboa/bin/python -m pip install --quiet titanoboa==$(TITANOBOA) vyper==$(VYPER)
	@touch $@

# Not every machine has npm, and no test needs anvil alone: without it they run on the embedded chain, and say so.
.venv/anvil/$(ANVIL): | .venv/made
	@mkdir -p .venv/anvil && npm install --silent --no-audit --no-fund --prefix .venv/anvil @foundry-rs/anvil@$(ANVIL) >/dev/null 2>&1 \
	    && touch $@ || echo "no anvil could be installed from npm: L1 is tested on the embedded chain alone" >&2

.venv/ready-to-bench: pyproject.toml constraints.txt .venv/ready-to-check | .venv/made
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@
