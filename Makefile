# hl-monitor: `make` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
PACKAGES := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml cli/pyproject.toml demo/pyproject.toml))
PROTO := $(wildcard proto/hlmonitor/v1/*.proto)
STUBS := libs/contracts/src/hlmonitor/v1

.PHONY: help
help: ## show this list
	@echo "hl-monitor: one exact signal for every order that a watched wallet fills"
	@echo
	@grep -hE '^[a-z][a-z0-9%-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.installed $(STUBS)/.built ## install everything into .venv (done by the other targets when needed)

$(BIN)/uv: bootstrap.lock scripts/bootstrap
	@scripts/bootstrap $(PYTHON) $(VENV)

$(VENV)/.installed: $(BIN)/uv requirements-dev.lock $(addsuffix /pyproject.toml,$(PACKAGES))
	@echo "installing the locked dependencies and the workspace's packages"
	@$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@

$(STUBS)/.built: $(PROTO) $(VENV)/.installed
	@$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=libs/contracts/src --grpc_python_out=libs/contracts/src \
		--plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
		--mypy_out=quiet:libs/contracts/src --mypy_grpc_out=quiet:libs/contracts/src $(PROTO)
	@touch $@

.PHONY: proto
proto: $(STUBS)/.built ## build the gRPC stubs from proto/

.PHONY: lock
lock: $(BIN)/uv ## resolve requirements*.in and bootstrap.in again, with hashes
	@for name in bootstrap requirements requirements-build requirements-dev; do \
		$(BIN)/uv pip compile -q $$name.in -o $$name.lock --upgrade --generate-hashes --universal \
			--python-version 3.11 --no-emit-index-url --no-header --no-annotate || exit 1; done

.PHONY: lint
lint: setup ## ruff, mypy --strict, import-linter, buf
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH= $(BIN)/lint-imports --no-cache
	@$(BIN)/buf lint

.PHONY: format
format: setup ## let ruff write the code's form
	@$(BIN)/ruff check --fix-only -q . && $(BIN)/ruff format .

# The same examples each time, so that a change is judged by what it changes; `make property` looks for new ones.
HYPOTHESIS_SEED ?= 1

WORKERS ?= 2

.PHONY: test
test: setup ## all tests, with real servers; WORKERS=1: one after the other
	@$(BIN)/python scripts/database_servers.py
	@$(BIN)/pytest --hypothesis-seed=$(HYPOTHESIS_SEED) --numprocesses $(WORKERS) --dist loadfile

VENUE ?= simulator
ARGS ?=
SERVICE ?= *

.PHONY: start
start: setup ## the whole system in the background, watching simulated whales; VENUE=mainnet: the real venue
	@$(BIN)/python scripts/start.py $(VENUE)

.PHONY: stop
stop: ## end it, in order; nothing is left running
	@if [ -x $(BIN)/python ]; then $(BIN)/python scripts/stop.py; else echo "hl-monitor does not run"; fi

.PHONY: status
status: setup ## each process: running, ready, where to ask it, what it has done
	@$(BIN)/python scripts/status.py

.PHONY: logs
logs: ## follow the logs of `make start`; SERVICE=gateway-1: of that one only
	@ls .run/logs/$(SERVICE).log >/dev/null 2>&1 || { echo "there is no log .run/logs/$(SERVICE).log: \`make start\` makes them"; exit 1; }
	@tail -n 20 -F .run/logs/$(SERVICE).log

RUN := $(addprefix run-,nats simulator gateway aggregator writer address-loader cleaner)
.PHONY: $(RUN)
run-%: ## one service in the foreground (run-gateway, …); ARGS="--log-level debug" hands flags on
$(RUN): run-%: setup
	@exec $(BIN)/python scripts/run.py $(VENUE) $* $(ARGS)

.PHONY: doctor
doctor: setup ## check everything that the system depends on, and say what to do
	@exec $(BIN)/python scripts/run.py $(VENUE) hlmon doctor

.PHONY: docs
docs: setup ## write the generated pages of docs/ again from the code and the examples
	@$(BIN)/python scripts/generate_docs.py

.PHONY: clean
clean: ## remove everything that was built or installed; data in .run stays
	@rm -rf $(VENV) $(STUBS)/*_pb2* $(STUBS)/.built .mypy_cache .ruff_cache .pytest_cache .hypothesis

DURATION ?= 0
WHALES ?= 20
SEED ?= 1
FAULTS ?=

.PHONY: demo
demo: setup ## everything on this machine against simulated whales; DURATION=30 ends with a verdict
	@$(BIN)/python -m hlmonitor.demo --duration $(DURATION) --whales $(WHALES) --seed $(SEED) --faults "$(FAULTS)"

DB ?= sqlite
ONLY ?=

.PHONY: chaos
chaos: setup ## break everything every few seconds, then compare with the ledger; SEED=7 DURATION=120 DB=postgres|mariadb
	@PYTHONPATH=tests:tests/support $(BIN)/python -m chaos --seed $(SEED) --duration $(if $(filter file,$(origin DURATION)),120,$(DURATION)) \
		--database $(DB) --only "$(ONLY)"

.PHONY: overload
overload: setup ## ten times what the system sustains, for minutes: memory stays bounded, and only gaps lose; DURATION=120 DB=postgres
	@PYTHONPATH=tests:tests/support $(BIN)/python -m overload --duration $(if $(filter file,$(origin DURATION)),120,$(DURATION)) --database $(DB)

SEEDS ?= 200
TRACE ?=

.PHONY: dst
dst: setup ## the whole pipeline on a virtual clock, under seeded faults; SEEDS=1000, or SEED=7 TRACE=1 for one, step by step
	@PYTHONPATH=tests:tests/property $(BIN)/python -m dst --seeds $(SEEDS) \
		$(if $(filter file,$(origin SEED)),,--seed $(SEED)) $(if $(TRACE),--trace)

RESTING ?= 1000000

.PHONY: bench-core
bench-core: setup ## the core alone: CPU time per fill, memory per open order, a million resting orders
	@$(BIN)/python bench/core.py --resting $(RESTING)

EXAMPLES ?= 2000

.PHONY: test-simulator
test-simulator: setup ## the long suites of the simulator on both cores: fifty seeds of random wallets, an hour of frames
	@$(BIN)/pytest services/simulator -m slow -n 2

.PHONY: test-slow
test-slow: setup ## what takes too long for `make test`: each crash alone, every database; the simulator's long suites
	@$(BIN)/pytest -m slow --ignore tests/overload --numprocesses $(WORKERS) --dist loadfile
	@$(BIN)/pytest -m slow tests/overload

.PHONY: property
property: setup ## signals of random orders against the oracle; EXAMPLES=100000, SEED=the one that was printed
	@seed=$(if $(filter file,$(origin SEED)),$$RANDOM$$RANDOM,$(SEED)); \
		echo "$(EXAMPLES) examples of each property; to draw the same ones: make property EXAMPLES=$(EXAMPLES) SEED=$$seed"; \
		EXAMPLES=$(EXAMPLES) $(BIN)/pytest tests/property --hypothesis-seed=$$seed

TOOLS := .run/tools
GO_TOOLS := helm helm-unittest kubeconform compose-go
GO_PACKAGE.helm := helm.sh/helm/v3/cmd/helm
GO_PACKAGE.helm-unittest := github.com/helm-unittest/helm-unittest/cmd/helm-unittest
GO_PACKAGE.kubeconform := github.com/yannh/kubeconform/cmd/kubeconform
GO_PACKAGE.compose-go := github.com/compose-spec/compose-go/v2/cmd
KUBERNETES_MINOR := 32
# A release of helm knows the Kubernetes that it was built for, which is what templates are rendered for by default.
HELM_KUBERNETES := $(foreach package,chartutil lint/rules,-X helm.sh/helm/v3/pkg/$(package).k8sVersionMajor=1 \
	-X helm.sh/helm/v3/pkg/$(package).k8sVersionMinor=$(KUBERNETES_MINOR))

$(addprefix $(TOOLS)/,$(GO_TOOLS)): $(TOOLS)/%: deploy/tools/go.mod deploy/tools/go.sum
	@command -v go >/dev/null || { echo "$* is built from its Go module: install Go 1.25 or newer"; exit 1; }
	@echo "building $* from its Go module; the first time takes some minutes"
	@mkdir -p $(TOOLS) && cd deploy/tools && CGO_ENABLED=0 go build -ldflags="-s -w $(HELM_KUBERNETES)" -o $(CURDIR)/$@ $(GO_PACKAGE.$*)

IMAGE ?= hl-monitor:dev
BASE_IMAGE ?=
BUILD_NETWORK ?=
.PHONY: image
image: ## the one image of all services; IMAGE=name:tag BASE_IMAGE=another BUILD_NETWORK=host
	@docker build $(if $(BUILD_NETWORK),--network=$(BUILD_NETWORK)) $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
		--build-arg VERSION=$(lastword $(subst :, ,$(IMAGE))) --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) \
		-f deploy/docker/Dockerfile -t $(IMAGE) .
	@docker image inspect -f '$(IMAGE): {{.Size}} bytes, {{.Id}}' $(IMAGE)

.PHONY: test-chart
test-chart: setup $(addprefix $(TOOLS)/,$(GO_TOOLS)) ## the chart and the compose file: rendered, validated, tested; needs no cluster
	@$(TOOLS)/helm-unittest --strict deploy/helm/hl-monitor
	@$(BIN)/pytest -m chart tests/chart

NEXT_TAG ?= next
NATS_IMAGE ?= nats:2.12.3-alpine

.PHONY: test-k8s
test-k8s: setup $(TOOLS)/helm ## a release on the cluster of KUBECONFIG through scaling, upgrade, kills, rollback; then the verdict
	@PYTHONPATH=tests $(BIN)/python -m k8s --image $(IMAGE) --next-tag $(NEXT_TAG) --nats-image $(NATS_IMAGE)

COMPOSE := docker compose -f deploy/compose/compose.yaml
.PHONY: up
up: image ## PostgreSQL, NATS, simulator and every service in containers, without a cluster
	@HL_MONITOR_IMAGE=$(IMAGE) $(COMPOSE) up --detach --wait && HL_MONITOR_IMAGE=$(IMAGE) $(COMPOSE) ps
	@echo "signals: $(COMPOSE) run --rm hlmon hlmon signals tail"

.PHONY: down
down: ## end them; data stays in the volumes
	@$(COMPOSE) down
