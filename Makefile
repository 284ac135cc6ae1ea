# Every target sets itself up: a fresh clone needs only make and Python 3.11 or newer.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The first interpreter that really runs: a name on PATH may be a shim with nothing behind it.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)

# A virtual environment of another Python than the one that is asked for by name is made anew.
MINOR := -c 'import sys; print(*sys.version_info[:2], sep=".")'
ifneq ($(origin PYTHON),file)
ifneq ($(wildcard $(READY)),)
ifneq ($(shell $(BIN)/python $(MINOR)),$(shell $(PYTHON) $(MINOR)))
$(info $(VENV) is of another Python than $(PYTHON): it is made anew)
$(shell rm -rf $(VENV))
endif
endif
endif

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-emit-index-url --no-header pyproject.toml

MEASURED := --cov --cov-report=
# What decides and acts is covered to the last branch; the rest nearly.
CORE := rotator/engine/*

# What builds the image: the first that works; a docker client without a daemon does not.
BUILDER ?= $(shell for build in "docker build" "podman build --format=docker" "buildah build --format=docker"; do \
	$${build%% *} info >/dev/null 2>&1 && echo $$build && break; done)
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' rotator/__init__.py)
IMAGE ?= rotator:$(VERSION)
TARGET ?= rotator

# What the stack is packaged with, and by.
CONFIG ?= $(firstword $(wildcard config/rotator.toml) config/example.toml)
OSLS := build/stack/node_modules/osls/bin/serverless.js

.PHONY: dev demo test test-all test-rest simulate simulate-deep package deploy stack image bench lint format lock

# Virtual environment with everything in it.
dev: $(READY)

# A whole rotation against simulated systems.
demo: $(READY)
	@$(BIN)/rotator demo

# The quick tests, within minutes, with nothing but Python.
test: $(READY)
	$(BIN)/pytest --numprocesses=2 -m "not slow" $(MEASURE)

# All tests, and the coverage gates. The page is seen in Chromium, the stack deployed with Node.js, the image built.
test-all:
	$(MAKE) test MEASURE="$(MEASURED)"
	$(MAKE) test-rest

# What `make test` leaves out, and the gates over both; `make test MEASURE=...` comes before it, as above.
test-rest: $(READY)
	$(BIN)/pytest --numprocesses=2 --dist=loadgroup -m slow --cov-append $(MEASURED)
	$(BIN)/coverage report --fail-under=95
	$(BIN)/coverage report --fail-under=100 --include=$(CORE)

# Every crash, fault and race over the real engine, within the QUICK bounds; and every seeded bug.
simulate: $(READY)
	@$(BIN)/python -m tests.exploration

# The same within bounds that take hours.
simulate-deep: $(READY)
	@$(BIN)/python -m tests.exploration --deep

# The container image. BASE=... builds on another base, TARGET=sandbox adds the simulated systems.
image:
	@test -n "$(BUILDER)" || { echo "docker (with its daemon), podman or buildah is needed" >&2; exit 1; }
	$(BUILDER) --target $(TARGET) --tag $(IMAGE) --build-arg VERSION=$(VERSION) \
		$(if $(BASE),--build-arg BASE=$(BASE)) $(BUILD_FLAGS) .


# Zip and template of the AWS stack below build/: no network once it has run, no credentials.
package: $(READY)
	$(BIN)/python config/stack/bundle.py prepare
	$(BIN)/python config/stack/bundle.py zip $(CONFIG) build/rotator.zip
	node $(OSLS) package --package build/stack/package
	$(BIN)/cfn-lint -i W3005 -- build/stack/package/cloudformation-template-update-stack.json

# The stack to the account of your AWS credentials, with your config/rotator.toml.
deploy: CONFIG = config/rotator.toml
deploy: package
	node $(OSLS) deploy --package build/stack/package

# The stack deployed into a simulated AWS, used, killed, and its rights compared with those it used.
stack: $(READY)
	@$(BIN)/python -m tests.stack

# Every figure of the performance budget, side by side; fails where one is missed. Wants a quiet machine.
bench: $(READY)
	@$(BIN)/python -m tests.bench

# Style, types, import contracts, words, the Dockerfile.
lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.project.words
	$(BIN)/hadolint Dockerfile

# Rewrite the code in house style.
format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Newest allowed dependencies into the lock files.
lock: $(READY)
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	$(COMPILE) --extra sandbox --constraint requirements-dev.lock --output-file requirements-sandbox.lock

# The lock file is whole, so nothing is resolved: pip 23 would take an extra's newest release over the locked one.
$(READY): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed; name it: make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --require-hashes --no-deps --requirement requirements-dev.lock
	$(BIN)/pip install -qq --no-deps --no-build-isolation --editable .
	$(BIN)/pip check
	@touch $@
