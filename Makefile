# Every command a person or CI needs. Both environments live in .venv and are built on first use; the second time they
# are found ready through a stamp named after the content of the files that define them (not after their dates).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
PORT ?= 8000
APPS ?= 1
DATA ?= ../shared/data/CUB127
WHOLE ?= ../shared/data/CUB-photos
BUNDLE ?= models/birds
CODE := app benchmarks deploy duet_client duet_core tests

SERVE_FILES := pyproject.toml requirements/serve.txt
TEST_FILES := $(SERVE_FILES) requirements/test.txt requirements/no-deps.txt
fingerprint = $(firstword $(shell cat $(1) | sha256sum))
DOCS_FILES := $(SERVE_FILES) requirements/docs.txt
SERVE_STAMP := $(VENV)/.serve-$(call fingerprint,$(SERVE_FILES))
TEST_STAMP := $(VENV)/.test-$(call fingerprint,$(TEST_FILES))
DOCS_STAMP := $(VENV)/.docs-$(call fingerprint,$(DOCS_FILES))
AUDIT := build/audit-venv
AUDIT_FILES := requirements/audit.txt requirements/serve.txt
FUZZ := build/fuzz-venv
FUZZ_FILES := requirements/fuzz.txt requirements/serve.txt
FUZZ_SECONDS ?= 60
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

##### the service

.PHONY: serve
serve: $(SERVE_STAMP) ## run the service on the demo bundle (PORT=8000)
	@exec $(BIN)/duet serve --port $(PORT)

.PHONY: venv-serve
venv-serve: $(SERVE_STAMP) ## build what `make serve` needs, and stop there: no torch
	@echo "$(VENV) is ready: make serve"

##### the stack: Docker and Compose

.PHONY: up
up: ## docker compose up: the demo with Redis at http://127.0.0.1:8000 (APPS=3 for three replicas)
	@source deploy/compose.sh && \
		DUET_PROCESSES=$${DUET_PROCESSES:-$(if $(filter 0 0.0,$(DUET_CPUS)),$(APPS),1)} \
		compose up --build --detach --scale app=$(APPS)
	@echo "http://127.0.0.1:$${DUET_PORT:-8000}/   stop it with: docker compose down"

.PHONY: smoke
smoke: ## start the whole stack, break it, see that nothing is lost, take it down
	@deploy/smoke.sh

##### tests

.PHONY: test
test: $(TEST_STAMP) programs lint types ## everything CI runs: lint, types, every test
	@$(BIN)/python -m pytest -m "not slow" -n auto
	@$(BIN)/python -m pytest -m slow

.PHONY: check
check: $(TEST_STAMP) lint types ## lint, types and the quick tests, in less than two minutes
	@$(BIN)/python -m pytest -m "not slow" -n auto

.PHONY: schemathesis
schemathesis: $(TEST_STAMP) ## requests drawn from the OpenAPI document, with and without keys (EXAMPLES=100 an operation)
	@DUET_EXAMPLES=$(or $(EXAMPLES),100) $(BIN)/python -m pytest -rP tests/openapi/test_schemathesis.py

.PHONY: audit
audit: $(AUDIT)/.ready-$(call fingerprint,$(AUDIT_FILES)) ## ask a database of weaknesses about every pin (1: some known, 3: no answer)
	@$(AUDIT)/bin/python deploy/audit.py

.PHONY: fuzz
fuzz: $(FUZZ)/.ready-$(call fingerprint,$(FUZZ_FILES)) ## search for photos and bodies that break something (FUZZ_SECONDS=60 each)
	@deploy/fuzz.sh $(FUZZ)/bin/python $(FUZZ_SECONDS)

.PHONY: lint
lint: $(TEST_STAMP) ## ruff: rules and format
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)

.PHONY: types
types: $(TEST_STAMP) ## mypy --strict
	@$(BIN)/mypy

.PHONY: format
format: $(TEST_STAMP) ## put the code into ruff's format, imports sorted
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

.PHONY: programs
programs: # the tests start servers and browsers of their own; here they are only put on the machine
	@deploy/ensure-programs.sh

.PHONY: venv-test
venv-test: $(TEST_STAMP) ## build what `make test` needs, and stop there: torch, about 6 GB
	@echo "$(VENV) is ready: make test"

##### numbers and models

.PHONY: bench
bench: $(TEST_STAMP) ## measure: every benchmark, or those named in ONLY="encoder"
	@$(BIN)/python -m benchmarks $(ONLY)

.PHONY: report
report: $(TEST_STAMP) ## write docs/performance.md and its pictures from benchmarks/results
	@$(BIN)/python -m benchmarks.report

.PHONY: judge
judge: $(TEST_STAMP) ## judge refusals, probabilities, sets of classes and heat maps (DATA=…, WHOLE=…, BUNDLE=…)
	@$(BIN)/duet decisions $(DATA) --whole $(WHOLE) --bundle $(BUNDLE) --svg docs/risk-coverage.svg
	@$(BIN)/duet maps $(DATA) $(WHOLE) --bundle $(BUNDLE)

.PHONY: train-birds
train-birds: $(TEST_STAMP) ## train the demo model on the photos of CUB127, and write its bundle
	@$(BIN)/duet train training/configs/birds_plus.yaml
	@$(BIN)/duet export training/configs/birds_plus.yaml --out models/birds --model-id birds-duet-plus-seed0
	@$(BIN)/duet grounding $(DATA) --bundle models/birds
	@$(BIN)/duet finder training/configs/birds_plus.yaml $(WHOLE) --bundle models/birds
	@$(BIN)/duet sentences ../shared/data/descriptions/descriptors_cub.json --bundle models/birds

##### documentation

.PHONY: docs
docs: $(DOCS_STAMP) ## build the documentation into build/site; a warning or a broken link is an error
	@$(SITE) build

.PHONY: docs-serve
docs-serve: $(DOCS_STAMP) ## show the documentation at http://localhost:8001, and again with every change
	@$(SITE) serve --dev-addr localhost:8001 --watch README.md --watch training/README.md --watch CONTRIBUTING.md

##### upkeep

.PHONY: openapi
openapi: $(SERVE_STAMP) ## write docs/openapi.json, which a test compares with the service
	@$(BIN)/python -m app.openapi > docs/openapi.json

.PHONY: pins
pins: ## resolve pyproject.toml into requirements/*.txt; present pins stay, UPGRADE=1 renews them
	@deploy/make-venv.sh $(VENV)
	@$(BIN)/python deploy/pin_requirements.py $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove .venv, caches and build leftovers; runs, photo caches and class stores stay
	@rm -rf $(VENV) build ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an interrupted install is taken up again. No prerequisites but the order: what a stamp
# depends on is in its name. Older stamps go, so that returning to an earlier requirement installs it again.
$(SERVE_STAMP):
	@deploy/make-venv.sh $(VENV)
	@echo "installing requirements/serve.txt into $(VENV)"
	@$(PIP) install --requirement requirements/serve.txt
	@$(PIP) install --no-deps --editable .
	@rm -f $(VENV)/.serve-*
	@touch $@

$(TEST_STAMP): | $(SERVE_STAMP)
	@echo "installing requirements/test.txt into $(VENV): torch and its CUDA libraries, about 6 GB, some minutes"
	@$(PIP) install --requirement requirements/test.txt
	@$(PIP) install --no-deps --requirement requirements/no-deps.txt
	@rm -f $(VENV)/.test-*
	@touch $@

# An environment of its own: what asks about the pins is none of them.
$(AUDIT)/.ready-%:
	@deploy/make-venv.sh $(AUDIT)
	@$(AUDIT)/bin/python -m pip --disable-pip-version-check --no-input -qq install \
	    --requirement requirements/audit.txt --constraint requirements/serve.txt
	@rm -f $(AUDIT)/.ready-*
	@touch $@

# Another one, of what the service has and atheris: it comes for few versions of Python, and only for Linux.
$(FUZZ)/.ready-%:
	@deploy/make-venv.sh $(FUZZ)
	@$(FUZZ)/bin/python -m pip --disable-pip-version-check --no-input -qq install \
	    --requirement requirements/serve.txt --requirement requirements/fuzz.txt
	@rm -f $(FUZZ)/.ready-*
	@touch $@

$(DOCS_STAMP): | $(SERVE_STAMP)
	@echo "installing requirements/docs.txt into $(VENV)"
	@$(PIP) install --requirement requirements/docs.txt
	@rm -f $(VENV)/.docs-*
	@touch $@
