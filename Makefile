# Each target sets up what it needs: Python >= 3.11, make and git are enough.

# `PYTHON=/path/to/python make ...` chooses another interpreter for a new .venv.
new_enough = 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$python" -c $(new_enough) >/dev/null 2>&1 && { echo "$$python"; break; }; done)

bin := .venv/bin
patient := -o timeout=1900 -o faulthandler_timeout=2000 # seconds for one test that is one of an hour's
hourly := -o timeout=3400 -o faulthandler_timeout=3500 # and for one of twenty thousand requests
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE # the tests start hundreds of interpreters: each would compile all of it anew

.DEFAULT_GOAL := help
.PHONY: help demo demo-spread test e2e screenshots ci bench bench-http torture chaos check-full single-file docs lint format types layers changelog wheel bare lock clean
.NOTPARALLEL: # `ci` runs its parts in order and ends with the tests

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready ## a tour of a minute: orders that ship, orders that roll back
	@$(bin)/amends demo

demo-spread: .venv/ready ## the shop in six processes, of which two are killed while orders run; a minute
	@$(bin)/amends demo --spread postgresql

test: .venv/ready ## all tests, with 100 % branch coverage of core and shop
	@$(bin)/pytest $(PYTEST_ARGS) -n auto --dist worksteal --cov

e2e: .venv/ready .browser ## what needs a browser, and 20 000 requests that the document of the API makes up
	@$(bin)/pytest -q -m e2e $(hourly) $(PYTEST_ARGS)

screenshots: .venv/ready .browser ## every page of the console, in light, in dark and on a phone, into build/screenshots
	@$(bin)/python -m tests.e2e.screenshots && echo "they are in build/screenshots"

ci: lint types layers changelog wheel bare single-file test ## what continuous integration runs

bench: .venv/ready ## speed, as ratios within one run; the first time it installs the peers
	@$(bin)/python -m bench.peers; peers=$$?; $(bin)/python -m bench.postgres; postgres=$$?; \
		$(bin)/python -m bench.spread; spread=$$?; $(bin)/python -m bench && exit $$((peers + postgres + spread))

bench-http: .venv/ready ## speed of the HTTP API, beside a handler that does nothing, as ratios within one run
	@mkdir -p build && $(bin)/python -m bench.http

torture: .venv/ready ## kills, power cuts, attacks on the audit and 250 000 simulated schedules; an hour
	@$(bin)/python -m tests.torture
	@$(bin)/pytest -q -n auto -m torture $(patient)
	@AMENDS_ATTACKS=10000 $(bin)/pytest -q -n auto tests/auditing/test_attacks.py $(patient)
	@$(bin)/amends simulate shop --seeds 34000 --processes 2
	@$(bin)/amends simulate amends.shop.outside:CHECKOUT_OUTSIDE --seeds 50000 --processes 2
	@$(bin)/amends simulate examples/trip.py:trip --seeds 40000 --processes 2
	@$(bin)/amends simulate examples/trip.py:trip --seeds 25000 --hosts 3 --processes 2
	@$(bin)/amends simulate amends.shop.outside:CHECKOUT_OUTSIDE --seeds 25000 --hosts 3 --processes 2
	@$(bin)/amends simulate shop --seeds 2000 --apart --processes 2
	@$(bin)/amends simulate amends.shop.outside:CHECKOUT_OUTSIDE --seeds 4000 --apart --processes 2

chaos: .venv/ready ## engines on one PostgreSQL, and services apart, broken on purpose; an hour and a half at most
	@$(bin)/python -m tests.chaos

check-full: .venv/ready ## explore two orders with two faults, and 200 drawn definitions, in every order: some minutes
	@$(bin)/python -m bench.check_full
	@DEFINITIONS=200 $(bin)/pytest -q -k drawn_definitions tests/checking/test_reduction.py

single-file: .python ## write main.py: core and shop in one file that needs no package
	@$(PYTHON) tools/single_file.py main.py

docs: .venv/ready ## renew what the documents show of the commands' output
	@$(bin)/python tools/docs.py

lint: .venv/ready ## style
	@$(bin)/ruff check
	@$(bin)/ruff format --check

format: .venv/ready ## mend what the style checker can mend by itself
	@$(bin)/ruff check --fix
	@$(bin)/ruff format

types: .venv/ready ## mypy --strict
	@$(bin)/mypy

layers: .venv/ready ## imports run one way
	@$(bin)/lint-imports

changelog: .venv/ready ## the fragments make a changelog
	@said=$$($(bin)/towncrier build --draft --version next 2>&1) || { echo "$$said" >&2; exit 1; }

wheel: .venv/ready ## build the wheel, and run it without the source tree
	@$(bin)/python tools/check_wheel.py

bare: .python ## a bare checkout, without any package, has the function and the session
	@PYTHONPATH=src $(PYTHON) -S -c 'from amends.shop import ecommerce_saga_processor, Session'

lock: .python ## write requirements/*.txt anew; add LOCK_ARGS=--upgrade for the newest releases
	@$(PYTHON) -m venv .venv/lock
	@.venv/lock/bin/pip install --quiet --require-hashes -r requirements/lock.txt
	@for name in runtime dev lock peers; do \
		UV_CUSTOM_COMPILE_COMMAND='make lock' .venv/lock/bin/uv pip compile --quiet --no-config --universal \
			--python-version 3.11 --no-strip-extras --generate-hashes --no-emit-index-url $(LOCK_ARGS) \
			requirements/$$name.in -o requirements/$$name.txt || exit 1; done

clean: ## remove what the targets made
	@rm -rf .venv build dist main.py .coverage .coverage.* htmlcov .benchmarks .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/ready: requirements/dev.txt pyproject.toml | .python
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "amends: $(PYTHON) cannot make a virtual environment; on Debian or Ubuntu install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(bin)/pip install --quiet --require-hashes -r requirements/dev.txt
	@$(bin)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Playwright brings a browser of its own only from its own servers; Debian's does as well.
.PHONY: .browser
.browser:
	@command -v "$${AMENDS_CHROMIUM:-chromium}" >/dev/null || { apt-get update && \
		apt-get install --yes --no-install-recommends chromium; } >/dev/null || { \
		echo "amends: there is no chromium, and apt-get did not bring it; name one by AMENDS_CHROMIUM" >&2; exit 1; }

.PHONY: .python
.python:
	@[ -n "$(PYTHON)" ] || { echo "amends: no Python >= 3.11 found; install one, or name it: make PYTHON=..." >&2; exit 1; }
