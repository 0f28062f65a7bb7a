# `make help` lists the targets. Everything made here stays in this folder: .venv, .local, build.
# Written for GNU make 3.81, which macOS has, and later.

.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/sh

# Whom to call
TF ?= terraform
ifeq ($(origin PYTHON),undefined)
# Looked for once, and only by what needs it.
PYTHON = $(eval PYTHON := $(shell sh scripts/choose_python.sh 2>/dev/null))$(PYTHON)
endif
VENV := $(CURDIR)/.venv
VENV_PYTHON := $(VENV)/bin/python
# To stop servers with, whatever has become of the environment
SOME_PYTHON = $(if $(shell test -x $(VENV_PYTHON) && echo yes),$(VENV_PYTHON),$(PYTHON))
PYTEST := $(VENV)/bin/pytest
# What scripts and builds need is installed in a quarter of the time of all that the checks need.
SCRIPT_TOOLS := $(VENV)/scripts-installed
INSTALLED := $(VENV)/installed
# An environment of another Python, or of one that is gone, is none.
INVALID := $(shell test -x $(VENV)/bin/python3.13 || rm -f $(SCRIPT_TOOLS) $(INSTALLED))
# The C files of the Lambdas as this machine's Python loads them; a zip gets one of its own architecture.
LIBRARIES := $(patsubst %.c,%.so,$(wildcard lambdas/*/*.c lambdas/*/*/*.c))

# What a deployment goes by: infra/envs/$(ENV).tfvars
ENV ?= dev
# How the zips for AWS are built: auto, docker or pip
BUILD ?= auto
ARCH ?= x86_64
# The offline stack: a process (MiniStack) or, with STACK=compose, containers
STACK ?= ministack
KEEP ?= 1
SLUICE_PORT_BASE ?= 4566
export SLUICE_PORT_BASE

LOCAL := $(CURDIR)/.local
BENCH := $(LOCAL)/bench-venv
LOG := $(LOCAL)/logs/make.log
QUIETLY = $(VENV_PYTHON) scripts/run_quietly.py $(LOG)
# Python compiles what it imports; compiling all that is installed takes as long as installing it.
PIP_INSTALL = $(VENV_PYTHON) -m pip install --disable-pip-version-check --no-input --no-compile
COMPOSE = env SAMPLE_FILES_PORT=$$(($(SLUICE_PORT_BASE) + 1)) CLICKHOUSE_PORT=$$(($(SLUICE_PORT_BASE) + 2)) docker compose --project-name sluice-$(SLUICE_PORT_BASE) --file docker-compose.localstack.yml
# Holds the port of this checkout's containers, while there are any or data of theirs.
CONTAINERS := $(LOCAL)/run/containers

# Set when the containers are LocalStack's. It runs functions in containers of their own, for which 127.0.0.1 is
# themselves; this name leads to LocalStack's from there, and to 127.0.0.1 from here.
LOCALSTACK := $(if $(filter compose,$(STACK)),$(LOCALSTACK_IMAGE)$(LOCALSTACK_AUTH_TOKEN))
LOCAL_HOST := $(if $(LOCALSTACK),localhost.localstack.cloud,127.0.0.1)

# The offline stack has a copy of infra/ and a state of its own, as containers have: a backend that is switched on in
# infra/backend.tf is for AWS.
LOCAL_ENV ?= $(if $(LOCALSTACK),localstack,local)
LOCAL_INFRA := $(LOCAL)/terraform/infra
LOCAL_STATE := $(LOCAL)/terraform/local$(if $(filter compose,$(STACK)),-compose).tfstate
LOCAL_ZIPS := $(LOCAL)/build
# A copy of the outputs of the last apply, as old as what was applied.
LOCAL_APPLIED := $(LOCAL_STATE).applied
LOCAL_SAMPLES = http://$(LOCAL_HOST):$$(($(SLUICE_PORT_BASE) + 1))
LOCAL_CLICKHOUSE = http://$(LOCAL_HOST):$$(($(SLUICE_PORT_BASE) + 2))
LOCAL_DATASETS = http://127.0.0.1:$$(($(SLUICE_PORT_BASE) + 3))
# Terraform with the AWS provider that this machine has, or the registry's.
RUN_TF = TF="$(TF)" "$(PYTHON)" scripts/run_terraform.py
LOCAL_DATA := $(LOCAL)/terraform/data
LOCAL_TF = TF_DATA_DIR=$(LOCAL_DATA) $(RUN_TF) -chdir=$(LOCAL_INFRA)
LOCAL_VARS = -var-file=envs/$(LOCAL_ENV).tfvars -var=aws_endpoint_url=http://127.0.0.1:$(SLUICE_PORT_BASE) \
	-var=clickhouse_url=$(LOCAL_CLICKHOUSE) -var=dataset_stream_url=$(LOCAL_DATASETS) \
	-var=lambda_zip_dir=$(LOCAL_ZIPS)/lambdas -var=layer_zip_dir=$(LOCAL_ZIPS)/layers
# To be said after sourcing outputs.env: what it has is meant, whatever the user's .env says.
WIN_OVER_DOTENV = unset SLUICE_OUTPUTS_SOURCED
# Most of an apply is the provider's waiting, up to 55 s for a bucket's lifecycle rules: let all wait at once.
LOCAL_WAITING = -parallelism=40
LOCAL_APPLY = $(QUIETLY) "applying the Terraform" env $(LOCAL_TF) apply -input=false -no-color -auto-approve -compact-warnings \
	$(LOCAL_WAITING) -state=$(LOCAL_STATE) $(LOCAL_VARS)
# MiniStack runs functions with its own interpreter on this machine; a container runs them as Lambda does.
LOCAL_WHEELS = $(if $(filter compose,$(STACK)),--architecture $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64),--native)

AWS_TF = TF_DATA_DIR=$(LOCAL)/terraform/$(ENV) $(RUN_TF) --pinned -chdir=infra
AWS_VARS = -var-file=envs/$(ENV).tfvars -var=architecture=$(ARCH) \
	-var=lambda_zip_dir=$(CURDIR)/build/lambdas -var=layer_zip_dir=$(CURDIR)/build/layers

##@ The two commands

.PHONY: demo
demo: check-tools up $(if $(filter compose,$(STACK)),deploy-local,deploy-changes) ## Start the offline stack and run every service on sample data
	@. $(LOCAL)/outputs.env; $(WIN_OVER_DOTENV); bash scripts/demo.sh

.PHONY: test
test: check-tools ## Run the checks and tests that every change needs, offline, in about ten minutes
	@TEST_TIER=quick "$(PYTHON)" scripts/run_stages.py tests/quick.plan

.PHONY: test-all
test-all: check-tools ## Run what `make test` leaves out: long, exhaustive and Docker tests, foreign files and servers
	@TEST_TIER=rest "$(PYTHON)" scripts/run_stages.py tests/rest.plan

##@ Setting up

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-zA-Z0-9_%-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(INSTALLED) $(LIBRARIES) ## Install the development tools and the emulator into the checkout
	@$(VENV_PYTHON) scripts/stack.py install

.PHONY: doctor
doctor: ## Check all that this needs of the machine, and say how to get what is missing
	@python="$(or $(PYTHON),$(shell sh scripts/choose_python.sh --any 2>/dev/null))"; \
		test -n "$$python" || exec sh scripts/choose_python.sh; \
		TF="$(TF)" "$$python" scripts/doctor.py

.PHONY: check-tools
check-tools:
	@test -n "$(PYTHON)" || exec sh scripts/choose_python.sh
	@TF="$(TF)" "$(PYTHON)" scripts/doctor.py python venv curl unzip space terraform provider

.PHONY: check-python
check-python:
	@test -n "$(PYTHON)" || exec sh scripts/choose_python.sh
	@"$(PYTHON)" scripts/doctor.py python venv

.PHONY: check-ports
check-ports: check-python
	@"$(PYTHON)" scripts/doctor.py ports

# A command may be killed at any moment. So what says that all is installed goes first and comes last, and an environment
# without it is made anew: pip takes a package for installed of which it has written only a part. (One that is linked is
# somebody else's.)
$(SCRIPT_TOOLS): requirements-scripts.txt | check-python
	@rm -f $(SCRIPT_TOOLS) $(INSTALLED)
	@test -L $(VENV) || "$(PYTHON)" -m venv --clear $(VENV)
	@$(QUIETLY) "installing what the scripts need" $(PIP_INSTALL) -r requirements-scripts.txt
	@touch $@

$(INSTALLED): requirements-dev.txt | $(SCRIPT_TOOLS)
	@mv $(SCRIPT_TOOLS) $(SCRIPT_TOOLS).before
	@$(QUIETLY) "installing the development tools" $(PIP_INSTALL) -r requirements-dev.txt
	@mv $(SCRIPT_TOOLS).before $(SCRIPT_TOOLS) && touch $@

# A change of the pins may be one of the compiler. Its temporary folders stay behind where it is killed.
$(LIBRARIES): %.so: %.c layers/native.py $(SCRIPT_TOOLS)
	@rm -rf $(dir $@).native-*
	@$(QUIETLY) "compiling $<" $(VENV_PYTHON) layers/native.py --output $@ $<

.PHONY: clean
clean: ## Stop the offline stack and delete all that make made (the state of AWS deployments stays)
	@if test -f $(CONTAINERS); then $(MAKE) --no-print-directory down STACK=compose KEEP=0 SLUICE_PORT_BASE=$$(cat $(CONTAINERS)); fi
	@if test -d .local/run; then "$(SOME_PYTHON)" scripts/stack.py down; fi
	@rm -rf .venv .local build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@rm -rf lambdas/*/*.so lambdas/*/.native-* lambdas/*/*/*.so lambdas/*/*/.native-*
	@find infra lambdas layers scripts tests -type d -name __pycache__ -prune -exec rm -rf {} +
	@echo "clean"

##@ Building

.PHONY: build
build: $(SCRIPT_TOOLS) ## Build all zips for Lambda (BUILD=auto|docker|pip, ARCH=x86_64|arm64)
	@$(VENV_PYTHON) layers/build.py --$(BUILD) --architecture $(ARCH)

.PHONY: layers
layers: $(SCRIPT_TOOLS) ## Build the zips of the layers only
	@$(VENV_PYTHON) layers/build.py --$(BUILD) --architecture $(ARCH) --layers-only

##@ The offline stack

.PHONY: up
up: check-ports $(SCRIPT_TOOLS) $(LIBRARIES) ## Start the offline stack (SLUICE_PORT_BASE=4566, AUTH=true, STACK=compose)
ifeq ($(STACK),compose)
	@"$(PYTHON)" scripts/doctor.py docker
	@mkdir -p $(LOCAL)/run && echo $(SLUICE_PORT_BASE) >$(CONTAINERS)
	@$(QUIETLY) "starting the containers" $(COMPOSE) up --detach --build --wait
	@cd scripts && env CLICKHOUSE_URL=http://127.0.0.1:$$(($(SLUICE_PORT_BASE) + 2)) $(VENV_PYTHON) -m clickhouse.apply
	@$(VENV_PYTHON) scripts/stack.py datasets
else
	@$(VENV_PYTHON) scripts/stack.py up
endif

.PHONY: down
down: ## Stop the offline stack (KEEP=0 also deletes its data)
ifeq ($(STACK),compose)
	@"$(SOME_PYTHON)" scripts/stack.py down >/dev/null
	@$(COMPOSE) down $(if $(filter 0,$(KEEP)),--volumes --rmi local)
	@$(if $(filter 0,$(KEEP)),rm -f $(CONTAINERS) $(LOCAL_STATE)* $(LOCAL)/outputs.json $(LOCAL)/outputs.env)
else
	@"$(SOME_PYTHON)" scripts/stack.py down $(if $(filter 0,$(KEEP)),--forget)
endif

.PHONY: deploy-local
deploy-local: local-zips ## Build and apply the Terraform to the offline stack (after up)
	@test ! -f $(LOCAL_APPLIED).begun || mv $(LOCAL_APPLIED).begun $(LOCAL_APPLIED).interrupted
	@rm -rf $(LOCAL_INFRA) $(LOCAL_DATA) $(LOCAL_APPLIED) && mkdir -p $(LOCAL_INFRA) && touch $(LOCAL_APPLIED).begun
	@cp -R infra/. $(LOCAL_INFRA) && rm -rf $(LOCAL_INFRA)/backend.tf \
		$(LOCAL_INFRA)/*_override.tf $(LOCAL_INFRA)/.terraform $(LOCAL_INFRA)/terraform.tfstate*
	@$(QUIETLY) "preparing Terraform" env $(LOCAL_TF) init -input=false -no-color
	@rm -f $(LOCAL_APPLIED).failed; $(LOCAL_APPLY) || touch $(LOCAL_APPLIED).failed
	@test ! -f $(LOCAL_APPLIED).failed || $(MAKE) --no-print-directory apply-afresh
	@$(LOCAL_TF) output -json -state=$(LOCAL_STATE) | $(VENV_PYTHON) scripts/write_outputs.py .local --sample-files $(LOCAL_SAMPLES)
	@cp $(LOCAL)/outputs.env $(LOCAL_APPLIED) && touch -r $(LOCAL_APPLIED).begun $(LOCAL_APPLIED)
	@rm -f $(LOCAL_APPLIED).begun $(LOCAL_APPLIED).interrupted $(LOCAL_APPLIED).failed
	@$(VENV_PYTHON) scripts/stack.py datasets

# An apply that was killed may have made what its state does not tell of, or have left half a state. If it was the first
# one, nothing of anybody's is in the stack.
.PHONY: apply-afresh
apply-afresh:
	@test -f $(LOCAL_APPLIED).interrupted || exit 1; test ! -f $(LOCAL)/outputs.json || \
		{ echo "the apply before was interrupted; this empties the stack and applies anew: make down KEEP=0 up deploy-local" >&2; exit 1; }
	@echo "the first apply was interrupted: starting over with an empty stack"
	@$(MAKE) --no-print-directory down KEEP=0
	@$(MAKE) --no-print-directory up
	@touch $(LOCAL_APPLIED).begun
	@$(LOCAL_APPLY)

# Terraform takes half a minute to find that there is nothing to do. That is known beforehand where the emulator is the one
# that was applied to, the outputs are those of that time, and neither the Terraform nor a zip is newer.
.PHONY: deploy-changes
deploy-changes: local-zips
	@if cmp -s $(LOCAL_APPLIED) $(LOCAL)/outputs.env && test -z "$$(find infra scripts/write_outputs.py $(LOCAL_ZIPS)/*/*.zip \
		$(LOCAL)/run/ministack.json -newer $(LOCAL_APPLIED))"; then \
		echo "applied already, and nothing has changed since (make deploy-local applies it again)"; \
	else \
		$(MAKE) --no-print-directory deploy-local; \
	fi

.PHONY: local-zips
local-zips: check-tools $(SCRIPT_TOOLS) $(LIBRARIES)
	@$(QUIETLY) "building for the offline stack" $(VENV_PYTHON) layers/build.py --pip $(LOCAL_WHEELS) --output $(LOCAL_ZIPS)

.PHONY: plan-local
plan-local: ## Show what deploy-local would change; exit status 2 if anything
	@$(LOCAL_TF) plan -input=false -no-color -compact-warnings -detailed-exitcode -state=$(LOCAL_STATE) $(LOCAL_VARS)

.PHONY: destroy-local
destroy-local: ## Destroy what deploy-local made
	@rm -f $(LOCAL_APPLIED)
	@$(QUIETLY) "destroying" env $(LOCAL_TF) destroy -input=false -no-color -auto-approve $(LOCAL_WAITING) -state=$(LOCAL_STATE) $(LOCAL_VARS)

.PHONY: test-flow
test-flow: ## Create a ZIP job and check its archive (PREFIX=)
	@bash scripts/zip_job_roundtrip.sh $(if $(filter undefined,$(origin PREFIX)),,"$(PREFIX)")

.PHONY: generate-pdfs
generate-pdfs: guard-COUNT ## Write sample PDFs (COUNT=)
	@bash scripts/generate_pdfs.sh $(COUNT)

.PHONY: bulk-upload
bulk-upload: ## Upload many files to the source bucket (ARGS="--generate 500"; ARGS=--help says more)
	@bash scripts/bulk_upload.sh $(ARGS)

.PHONY: logs
logs: guard-SERVICE $(SCRIPT_TOOLS) ## Print a function's log lines (SERVICE=zip-worker, SINCE=1h, FOLLOW=1)
	@$(VENV_PYTHON) scripts/show_logs.py "$(SERVICE)" $(if $(SINCE),--since $(SINCE)) $(if $(filter 1,$(FOLLOW)),--follow)

.PHONY: insights
insights: $(SCRIPT_TOOLS) ## Ask the logs a saved query (QUERY=zip_jobs/failed-jobs, SINCE=3h; without QUERY: list them)
	@$(VENV_PYTHON) scripts/insights.py $(if $(QUERY),"$(QUERY)") $(if $(SINCE),--since $(SINCE)) $(ARGS)

.PHONY: assign-zip-owners
assign-zip-owners: guard-OWNER $(SCRIPT_TOOLS) ## Count the ZIP jobs from before there were owners (OWNER=); DRY_RUN=0 gives them the owner
	@bash scripts/assign_zip_owners.sh $(if $(filter 0,$(DRY_RUN)),--write) "$(OWNER)"

.PHONY: redrive
redrive: guard-QUEUE $(SCRIPT_TOOLS) ## List a queue's dead letters (QUEUE=name or URL, MATCH=text); DRY_RUN=0 sends them back
	@bash scripts/redrive.sh $(if $(filter 0,$(DRY_RUN)),--send) $(if $(MATCH),--match "$(MATCH)") "$(QUEUE)"

##@ AWS (ENV=dev: infra/envs/dev.tfvars)

.PHONY: tf-init
tf-init: aws-env check-tools ## Prepare Terraform for an environment
	@mkdir -p $(LOCAL)/terraform/$(ENV) && rm -rf $(LOCAL)/terraform/$(ENV)/modules
	@$(AWS_TF) init -input=false
	@$(AWS_TF) workspace select -or-create $(ENV)

.PHONY: tf-plan
tf-plan: aws-ready aws-limits ## Show what tf-apply would change
	@$(AWS_TF) plan $(AWS_VARS) $(ARGS)

.PHONY: tf-apply
tf-apply: aws-ready aws-limits ## Deploy the zips of `make build` (asks first; ARGS=-auto-approve does not)
	@$(AWS_TF) apply $(AWS_VARS) $(ARGS)
	@$(AWS_TF) output -json | $(VENV_PYTHON) scripts/write_outputs.py .local

.PHONY: tf-destroy
tf-destroy: aws-ready ## Destroy an environment (asks first)
	@$(AWS_TF) destroy $(AWS_VARS) $(ARGS)

.PHONY: aws-limits
aws-limits: aws-env $(SCRIPT_TOOLS)
	@$(VENV_PYTHON) scripts/account_limits.py $(ENV)

.PHONY: cost
cost: check-tools $(SCRIPT_TOOLS) ## Say what an environment costs a month while nothing happens (ENV=dev), without an account
	@$(VENV_PYTHON) scripts/idle_cost.py $(ENV)

.PHONY: aws-env
aws-env:
	@test "$(ENV)" != local || { echo "ENV=local is the offline stack: make up deploy-local" >&2; exit 1; }
	@test -f infra/envs/$(ENV).tfvars || { echo "there is no infra/envs/$(ENV).tfvars" >&2; exit 1; }
	@case "$$SLUICE_OUTPUTS_SOURCED $$AWS_ENDPOINT_URL" in "yes http://127.0.0.1:"*) \
		echo "this shell has sourced the offline stack's .local/outputs.env, so Terraform would deploy to the emulator:" >&2; \
		echo "open a new shell, or unset AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN" >&2; \
		exit 1 ;; \
	esac

.PHONY: aws-ready
aws-ready: aws-env
	@test -d build/lambdas || { echo "there are no zips yet: make build" >&2; exit 1; }
	@test -f $(LOCAL)/terraform/$(ENV)/environment || $(MAKE) --no-print-directory tf-init ENV=$(ENV)

.PHONY: smoke-aws
smoke-aws: $(SCRIPT_TOOLS) ## Run one small case of each deployed service (ENV=dev; asks first, or CONFIRM=yes; ENV=local is free)
ifneq ($(ENV),local)
	@$(MAKE) --no-print-directory aws-env ENV=$(ENV)
	@$(AWS_TF) output -json | $(VENV_PYTHON) scripts/write_outputs.py $(LOCAL)/smoke >/dev/null
	@export AWS_ENDPOINT_URL=; . $(LOCAL)/smoke/outputs.env; $(WIN_OVER_DOTENV); bash scripts/smoke.sh $(ARGS)
else
	@bash scripts/smoke.sh $(ARGS)
endif

##@ Checks

.PHONY: fmt
fmt: $(INSTALLED) ## Format Python, C and Terraform
	@$(VENV)/bin/ruff check --quiet --fix . && $(VENV)/bin/ruff format . && $(RUN_TF) fmt -recursive infra
	@find lambdas -name '*.[ch]' -exec $(VENV)/bin/clang-format -i {} +

.PHONY: lint
lint: $(INSTALLED) ## Check format and style of Python, C, shell and Terraform
	@echo "lint"
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@find lambdas -name '*.[ch]' -exec $(VENV)/bin/clang-format --dry-run --Werror {} +
	@$(VENV)/bin/shellcheck --external-sources .ci/run $$(find scripts -name '*.sh')
	@$(RUN_TF) fmt -check -recursive -diff infra

.PHONY: typecheck
typecheck: $(INSTALLED) ## Check types
	@echo "types"
	@$(VENV)/bin/mypy lambdas layers scripts tests

.PHONY: unit
unit: $(INSTALLED) $(LIBRARIES) ## Run the unit tests (PYTEST_ARGS=)
	@echo "unit tests"
	@$(PYTEST) -q -n auto tests/unit $(PYTEST_ARGS)

.PHONY: tf-checks
tf-checks: check-tools setup ## Validate and test the Terraform
	@echo "Terraform checks"
	@$(PYTEST) -q -n auto --dist loadfile --no-loadscope-reorder tests/infra $(PYTEST_ARGS)

.PHONY: integration
integration: check-tools setup ## Run the tests that start servers of their own (PYTEST_ARGS=)
	@echo "integration tests"
	@$(PYTEST) -q -n auto --dist loadfile -m "not docker" tests/integration tests/faults tests/fuzz $(PYTEST_ARGS)

.PHONY: e2e
e2e: up deploy-local ## Run the end-to-end tests against the offline stack (PYTEST_ARGS=)
	@echo "end-to-end tests"
	@. $(LOCAL)/outputs.env; $(WIN_OVER_DOTENV); $(PYTEST) -q tests/e2e $(PYTEST_ARGS)

# Against the stack that runs, else against one of its own, where each function has no more than its role allows.
.PHONY: e2e-alone
e2e-alone: $(SCRIPT_TOOLS)
	@if $(VENV_PYTHON) scripts/stack.py status >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory e2e; \
	else \
		trap '$(MAKE) --no-print-directory down' EXIT; \
		AUTH=true $(MAKE) --no-print-directory e2e; \
	fi

.PHONY: fuzz
fuzz: $(INSTALLED) ## Fuzz the libraries in C under the sanitizers (SECONDS=60, SEED= repeats a run)
	@PYTHONPATH=$(CURDIR):$(CURDIR)/lambdas SECONDS=$(or $(SECONDS),60) SEED=$(SEED) $(VENV_PYTHON) -m tests.fuzz

.PHONY: bench
bench: $(INSTALLED) $(LIBRARIES) $(BENCH)/installed ## Compare speed, memory and requests with others (SERVICE=csv-streamer, ARGS=--long)
	@PYTHONPATH=$(CURDIR):$(CURDIR)/scripts:$(CURDIR)/lambdas $(VENV_PYTHON) -m tests.bench $(or $(SERVICE),all) $(ARGS)

$(BENCH)/installed: requirements-bench.txt | check-python
	@rm -f $@ && "$(PYTHON)" -m venv --clear $(BENCH)
	@$(QUIETLY) "installing what the bench compares with" \
		$(BENCH)/bin/python -m pip install --disable-pip-version-check --no-input --no-compile -r requirements-bench.txt
	@touch $@

.PHONY: docker-checks
docker-checks: check-tools setup ## Run the tests that need a Docker engine; skipped where none answers
	@echo "Docker checks"
	@$(PYTEST) -q -n 2 --dist loadfile -m docker tests/integration/tooling $(PYTEST_ARGS)

guard-%:
	@test -n "$($*)" || { echo "$* is needed: make ... $*=..." >&2; exit 1; }
