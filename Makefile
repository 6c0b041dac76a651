# The common tasks of this project; `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help run test all-tests test-fast bench bench-signin load simulate dynos screenshots lighthouse translations requirements sbom lint clean

PYTHON ?= python3.13 python3.12 python3.11 python3 python
IN_VENV := .venv/bin/python -m
PYBABEL := $(IN_VENV) babel.messages.frontend -q
UV := .venv-tools/bin/uv --quiet --no-config
SENTENCES := --no-wrap --no-location --sort-by-file -c Translators: -k Sentence -k lazy -k plural:1,2

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: .venv/ready .env ## Run the site on this machine and open it in a browser
	@$(IN_VENV) quart --app asgi develop

# Side by side, because the type checker uses only one core.
test: .venv/ready ## Check style, types and layers, and run all tests (as CI does)
	@$(MAKE) --no-print-directory -j2 lint all-tests

# Without cached bytecode, each process of the tests would spend seconds compiling them.
all-tests: .venv/ready
	@PYTHONDONTWRITEBYTECODE= $(IN_VENV) pytest -n auto --dist worksteal

test-fast: .venv/ready ## Run the tests that need no database, in about a minute
	@$(IN_VENV) pytest tests/unit

bench: .venv/ready .venv-bench/ready ## Measure pages, load, live pages and memory, compared with the Flask site; QUICK=1 takes about two minutes, ONLY=crowd measures one part
	@$(IN_VENV) tests.bench

dynos: .venv/ready ## Replace dynos under load behind a router like Heroku's (half a minute; needs nginx)
	@$(IN_VENV) pytest tests/failure/dynos.py

bench-signin: .venv/ready ## Measure how long other requests wait while 150 users sign in at once
	@$(IN_VENV) tests.bench.signin

translations: .venv/ready ## Collect the site's sentences in quart_enroll/translations, for translators
	@$(PYBABEL) extract -F pyproject.toml -o .messages.pot $(SENTENCES) quart_enroll
	@$(if $(NEW),$(PYBABEL) init -i .messages.pot -o quart_enroll/translations/$(NEW).po -l $(NEW) --no-wrap,:)
	@for file in quart_enroll/translations/*.po; do \
	  $(PYBABEL) update -i .messages.pot -o $$file -l $$(basename $$file .po) \
	    --no-wrap --ignore-obsolete --no-fuzzy-matching --ignore-pot-creation-date || exit; \
	done; rm .messages.pot

# Existing pins stay, except those in UPGRADE. With -c, a package has the same version in all files; with --universal, one
# file works for every system and Python. Unchanged files keep their modification time, so nothing is reinstalled.
requirements: COMPILE = $(UV) pip compile --universal --python-version 3.11 --generate-hashes \
  --annotation-style line --custom-compile-command "make requirements" \
  $(if $(filter all,$(UPGRADE)),--upgrade,$(addprefix --upgrade-package ,$(UPGRADE)))
requirements: .venv-tools/ready ## Pin the packages of pyproject.toml, with hashes; UPGRADE="werkzeug h2" or UPGRADE=all for newer ones
	@mkdir -p .venv-tools/before && cp -p requirements*.txt .venv-tools/before
	@$(COMPILE) pyproject.toml -o requirements.txt
	@$(COMPILE) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	@for group in bench load tools; do \
	  $(COMPILE) --group $$group -c requirements-dev.txt -o requirements-$$group.txt || exit; \
	done
	@for file in requirements*.txt; do \
	  if cmp -s .venv-tools/before/$$file $$file; then touch -r .venv-tools/before/$$file $$file; fi; \
	done

# From an environment with only the site's packages, because licenses can be read only from installed packages.
sbom: .venv-tools/ready ## List production's packages in sbom.cdx.json, with versions and licenses (CycloneDX)
	@$(UV) venv --clear --python .venv/bin/python .venv-tools/production
	@$(UV) pip install --python .venv-tools/production --require-hashes -r requirements.txt
	@.venv-tools/bin/cyclonedx-py environment .venv-tools/production --pyproject pyproject.toml \
	  --output-reproducible --validate -o sbom.cdx.json

load: .venv/ready .venv-load/ready ## Run a load test: SCENARIO=RegistrationDay, BrowsingDay or Stampede, STUDENTS=400, DEVICES=1, TIME=90s
	@$(IN_VENV) tests.load

simulate: .venv/ready ## Predict what a very large school experiences; MEASURE=1 measures this machine first (a minute)
	@$(if $(MEASURE),$(IN_VENV) tests.simulation.measure)
	@$(IN_VENV) tests.simulation

screenshots: .venv/ready ## Take a screenshot of every page for docs/screenshots.md, with Chromium
	@$(IN_VENV) tests.browser.screenshots

lighthouse: .venv/ready ## Rate four pages with Lighthouse for docs/lighthouse.md, with Chromium and Node
	@$(IN_VENV) tests.browser.lighthouse

lint: .venv/ready ## Check style, types, layers and declared packages
	@$(IN_VENV) ruff check .
	@$(IN_VENV) ruff format --check .
	@$(IN_VENV) mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/deptry .

clean: ## Remove everything these targets created, except the database of `make run` and its secret key
	rm -rf .venv .venv-bench .venv-load .venv-tools sbom.cdx.json .bench .load .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.env:
	@cp -n .env.example .env || test -f .env

# Rebuilt when a requirement changes. A Python is used only if it runs and can create an environment: a pyenv shim may
# do neither, and Debian has ensurepip in a separate package.
.venv/ready: requirements.txt requirements-dev.txt
	@for python in $(PYTHON); do \
	  "$$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || continue; \
	  echo "Installing packages into .venv; this takes a minute, but only the first time."; \
	  rm -rf .venv && "$$python" -m venv .venv && \
	  $(IN_VENV) pip install -qq --disable-pip-version-check -r requirements-dev.txt && touch $@; \
	  exit; \
	done; \
	echo "This needs Python 3.11, 3.12 or 3.13 with venv (on Debian and Ubuntu: apt install python3-venv)."; \
	echo "If yours has a different name, run: make PYTHON=/path/to/python"; exit 1

.venv-bench/ready .venv-load/ready .venv-tools/ready: .venv-%/ready: requirements-%.txt | .venv/ready
	@echo "Installing packages into .venv-$*; this takes a minute, but only the first time."
	@rm -rf .venv-$* && $(IN_VENV) venv .venv-$* && \
	  .venv-$*/bin/python -m pip install -qq --disable-pip-version-check -r $< && touch $@
