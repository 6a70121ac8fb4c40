# make help lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

, := ,
GO      := CGO_ENABLED=0 go
PYTHON  := .cache/venv/bin/python
TOOLS   := $(CURDIR)/.cache/bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X tasador/pkg/observability.version=$(VERSION)

GOTESTSUM     := $(TOOLS)/gotestsum-v1.13.0
GOLANGCI_LINT := $(TOOLS)/golangci-lint-v2.15.0
VERSITYGW     := $(TOOLS)/versitygw-v1.8.0
ACTIONLINT    := $(TOOLS)/actionlint-v1.7.12
KUSTOMIZE     := $(TOOLS)/kustomize-v5.8.1
NFPM          := $(TOOLS)/nfpm-v2.45.2
GORELEASER    := $(TOOLS)/goreleaser-v2.15.1
CYCLONEDX     := $(TOOLS)/cyclonedx-gomod-v1.10.0
APISERVER     := $(TOOLS)/kube-apiserver-v1.37.2
ETCD          := $(TOOLS)/etcd-v3.7.3
IMAGE         := $(TOOLS)/image

##@ Use

.PHONY: build
build: ## build bin/tasador
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/tasador .

.PHONY: demo
demo: build ## run every path of the DAG in a fresh folder; CSV=FILE feeds that file
	bin/tasador demo $(if $(CSV),--csv='$(CSV)')

.PHONY: run
run: build ## start all roles and the data source on ./data and stay up
	bin/tasador --role=source,tracking,pipeline,serving --source.batches='15000,rest'

##@ Test

.PHONY: test
test: prepare $(GOTESTSUM) $(VERSITYGW) $(ACTIONLINT) $(KUSTOMIZE) $(NFPM) ## install what the tests need, run all of them; a skipped test fails
	scripts/test.sh

.PHONY: test-short
test-short: ## run the tests that need only Go
	$(GO) test -short ./...

.PHONY: lint
lint: $(GOLANGCI_LINT) ## check style, imports, formatting and the list of modules
	$(GO) mod tidy -diff
	CGO_ENABLED=0 $(GOLANGCI_LINT) run ./...
	cd k8s && $(GO) mod tidy -diff && CGO_ENABLED=0 $(GOLANGCI_LINT) run --build-tags verify ./...
	cd scripts/image && $(GO) mod tidy -diff && CGO_ENABLED=0 $(GOLANGCI_LINT) run ./...

.PHONY: prepare
prepare: ## install what the tests and parity checks need beside Go
	scripts/prepare.sh

.PHONY: parity
parity: build prepare ## compare tasador train with the reference: make parity CSV=FILE [AS_OF=DATE]
	@test -n '$(CSV)' || { echo 'say which file: make parity CSV=FILE'; exit 2; }
	$(PYTHON) scripts/parity/parity.py '$(CSV)' --as-of '$(or $(AS_OF),2026-01-01)'

# Over an hour on two idle cores, and more the first time, which compiles the API server of Kubernetes.
.PHONY: verify
verify: test lint release-snapshot machine $(APISERVER) $(ETCD) ## everything: the tests, the packages on a machine with systemd, every manifest on a real API server, hundreds of hostile files against the reference, our clients against a stock MLflow server, 10,000 swaps of the served model under load, thousands of requests of serving's document, fuzzing, and that what is broken on purpose is caught
	$(PYTHON) scripts/parity/many.py $(or $(FILES),300)
	$(GO) test -tags verify -count=1 -timeout 60m ./roles/tracking
	$(GO) test -tags verify -timeout 60m -run TenThousand -v ./pkg/inference ./roles
	$(GO) test -tags verify -count=1 -timeout 60m -run '^TestServingKeepsToItsDocumentLong$$' ./roles
	cd k8s && $(GO) test -tags verify -count=1 -timeout 60m -run '^TestAPIServer' .
	scripts/fuzz.sh $(or $(FUZZTIME),1m)
	scripts/broken.sh
	$(GO) test -tags verify -count=1 -timeout 30m -run '^TestThreeServersUnderLoad$$' -v ./roles/packages

.PHONY: conformance
conformance: prepare $(VERSITYGW) ## run the scenarios of the tracking server with MLflow's own clients (pinned, and 2.2.1) and parsers, on SQLite and PostgreSQL, with artifacts in a folder and on S3; make test runs them too
	$(GO) test -count=1 -run 'PythonClient|ClientConformance|MLflow|Conformance' ./roles/tracking ./pkg/sqlstore/trackingstore ./pkg/experiment/filter

.PHONY: parity-dag
parity-dag: build prepare ## compare the tables and metrics of a DAG run with the reference; CSV=FILE feeds that file
	scripts/parity_dag/parity-dag.sh $(if $(CSV),'$(CSV)')

.PHONY: chaos
chaos: ## kill the processes at random in ROUNDS=100 runs of the DAG, fill the disk and worse; SEED=N repeats a run
	$(GO) test -tags chaos -count=1 -timeout 20m -v -run '^TestChaos' ./roles/chaos -args -chaos.rounds=$(or $(ROUNDS),100) $(if $(SEED),-chaos.seed=$(SEED))

.PHONY: fuzz
fuzz: ## fuzz all that reads what others send, each reader for FUZZTIME=1m
	scripts/fuzz.sh $(or $(FUZZTIME),1m)

.PHONY: golden
golden: prepare ## make the golden inputs and let the reference compute their results anew
	$(PYTHON) scripts/golden/generate.py

.PHONY: bench-train
bench-train: build prepare ## time tasador train against the reference on ROWS generated rows
	scripts/bench/train.sh $(or $(ROWS),2000000)

# On two idle cores about 5 minutes for 100,000 rows on both engines, 15 for 1,000,000 and 15 for 4,000,000, which needs 8 GB below TMPDIR; most of
# it is the pandas job, which PANDAS=0 leaves out. RESUME=1 keeps what was measured before, round by round.
.PHONY: bench-data
bench-data: prepare .cache/venv-bench/installed ## time whole DAG runs on servers against the bare statements and a pandas job: [ROWS=100000,…] [ENGINES=mariadb,postgres] [ROUNDS=N] [PANDAS=1000000] [RESUME=1]
	$(GO) test -tags bench -count=1 -timeout 0 -v -run '^TestData$$' ./roles/bench -args -data.results=$(CURDIR)/.cache/bench-data.jsonl $(if $(ROWS),-data.rows=$(ROWS)) $(if $(ENGINES),-data.engines=$(ENGINES)) $(if $(ROUNDS),-data.rounds=$(ROUNDS)) $(if $(PANDAS),-data.pandas=$(PANDAS)) $(if $(RESUME),-data.resume) $(if $(TASADOR),-data.binary=$(TASADOR))

# On two idle cores about 30 minutes with two rounds; SHORT=1 takes about 4. RESUME=1 keeps what was measured before, server by server.
.PHONY: bench-tracking
bench-tracking: prepare .cache/venv-bench/installed .cache/venv-fasttrackml/installed ## time tracking beside MLflow's server and FastTrackML: [SHORT=1] [RUNS=20000] [ROUNDS=2] [PEERS=mlflow,fasttrackml] [ENGINES=postgres,sqlite] [SECONDS=4] [ARTIFACT=500] [GROWTH=1000,10000,100000] [ONLY=log-metric,log-batch,search,history,artifact] [RESUME=1]
	$(GO) test -tags bench -count=1 -timeout 0 -v -run '^TestTracking$$' ./roles/bench -args -tracking.results=$(CURDIR)/.cache/bench-tracking.jsonl $(if $(SHORT),-tracking.runs=2000 -tracking.seconds=1 -tracking.rounds=1 -tracking.artifact=50 -tracking.growth=1000$(,)10000) $(if $(RUNS),-tracking.runs=$(RUNS)) $(if $(ROUNDS),-tracking.rounds=$(ROUNDS)) $(if $(filter undefined,$(origin PEERS)),,-tracking.peers=$(PEERS)) $(if $(ENGINES),-tracking.engines=$(ENGINES)) $(if $(filter command line environment,$(origin SECONDS)),-tracking.seconds=$(SECONDS)) $(if $(ONLY),-tracking.only=$(ONLY)) $(if $(ARTIFACT),-tracking.artifact=$(ARTIFACT)) $(if $(filter undefined,$(origin GROWTH)),,-tracking.growth=$(GROWTH)) $(if $(RESUME),-tracking.resume) $(if $(TASADOR),-tracking.binary=$(TASADOR))

# On two idle cores about 6 minutes. It is the same client for all servers, and all share the processors with it.
.PHONY: bench-serve
bench-serve: prepare .cache/venv-bench-serve/installed ## load predictions against Echo handlers, FastAPI apps and mlflow models serve: [ROUNDS=3] [SECONDS=10] [PEERS=all|none|fastapi-usual,fastapi-tuned-2,mlflow] [ROWS=2000000]
	$(GO) test -tags bench -count=1 -timeout 0 -v -run '^TestServe$$' ./roles/bench -args $(if $(ROUNDS),-serve.rounds=$(ROUNDS)) $(if $(SECONDS),-serve.seconds=$(SECONDS)) $(if $(PEERS),-serve.peers=$(PEERS)) $(if $(ROWS),-serve.rows=$(ROWS)) $(if $(TASADOR),-serve.binary=$(TASADOR))

.PHONY: bench-go
bench-go: prepare ## time the factor, the encoder, the shuffle, the decoder, each bulk path, the tracking store, the journal and a prediction, with allocations: [COUNT=1]
	$(GO) test -run '^$$' -bench . -benchmem -count=$(or $(COUNT),1) ./pkg/ridge ./pkg/features ./pkg/dataset ./pkg/listingapi ./pkg/sqlstore/datasetstore ./pkg/sqlstore/trackingstore ./pkg/journal ./roles/serving

.PHONY: bench-batch
bench-batch: ## time /predict/batch in rows/s, NDJSON in and out, without HTTP and through it: [COUNT=1]
	$(GO) test -run '^$$' -bench '^BenchmarkBatch' -benchtime 4000x -benchmem -count=$(or $(COUNT),1) ./roles/serving

.PHONY: bench-accuracy
bench-accuracy: prepare ## count the right digits of the ridge on ill-conditioned rows, ours and scikit-learn's, against 200 bits
	$(GO) test -tags bench -count=1 -v -run '^TestAccuracy$$' ./pkg/ridge

.cache/venv-fasttrackml/installed: scripts/python/requirements-fasttrackml.txt
	rm -rf $(@D)
	.cache/venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check --no-deps --target $(@D) -r $<
	touch $@

.cache/venv-bench-serve/installed: scripts/python/requirements-bench-serve.txt
	rm -rf $(@D)
	.cache/venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check --target $(@D) -r $<
	touch $@

.cache/venv-bench/installed: scripts/python/requirements-bench.txt
	rm -rf $(@D)
	.cache/venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check --target $(@D) -r $<
	touch $@

##@ Release

.PHONY: image
image: $(IMAGE) ## make the container image for linux, amd64 and arm64, as an OCI archive in dist/
	rm -rf dist/image dist/tasador-image.tar
	for arch in amd64 arm64; do \
	  GOOS=linux GOARCH=$$arch $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/image/$$arch/tasador . || exit 1; \
	done
	$(IMAGE) --binaries=dist/image --archive=dist/tasador-image.tar --version='$(VERSION)' --revision="$$(git rev-parse HEAD)" --created="$$(git log -1 --format=%ct)"

.PHONY: release
release: $(GORELEASER) $(CYCLONEDX) $(IMAGE) ## build all that a release has into dist/ and sign and check it
	CHECK=0 scripts/release/snapshot.sh

# The first time it compiles goreleaser, which takes some minutes.
.PHONY: release-snapshot
release-snapshot: prepare $(GORELEASER) $(CYCLONEDX) $(IMAGE) $(NFPM) ## build all that a release has into dist/, sign and check it, build it again and compare, and test its packages and image: [CHECK=0]
	scripts/release/snapshot.sh
	$(GO) test -count=1 ./roles/packages -args -packages.dist=$(CURDIR)/dist

# It fetches a Debian once, about 100 MB.
.PHONY: machine
machine: prepare $(GORELEASER) $(CYCLONEDX) $(IMAGE) $(NFPM) ## boot a Debian with systemd, and install, run, kill, upgrade and remove packages on it, of this commit or [OLDER=FILE.deb NEWER=FILE.deb]; needs root
	scripts/release/machine.sh '$(OLDER)' '$(NEWER)'

##@ Tools

$(GOTESTSUM):
	GOBIN=$(TOOLS) $(GO) install gotest.tools/gotestsum@v1.13.0
	mv $(TOOLS)/gotestsum $@ && ln -sf $@ $(TOOLS)/gotestsum

$(GOLANGCI_LINT):
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv $(TOOLS)/golangci-lint $@

$(VERSITYGW): # the S3 server of the tests
	GOBIN=$(TOOLS) $(GO) install github.com/versity/versitygw/cmd/versitygw@v1.8.0
	mv $(TOOLS)/versitygw $@

$(ACTIONLINT):
	GOBIN=$(TOOLS) $(GO) install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
	mv $(TOOLS)/actionlint $@

$(KUSTOMIZE):
	GOBIN=$(TOOLS) $(GO) install sigs.k8s.io/kustomize/kustomize/v5@v5.8.1
	mv $(TOOLS)/kustomize $@

.PHONY: bump
bump: $(KUSTOMIZE) ## let servers run an image, by a commit that is pushed: make bump REPOSITORY=… TAG=… COMMIT=… SERVERS='servidor1 …'
	@KUSTOMIZE=$(KUSTOMIZE) scripts/ci/bump.sh '$(REPOSITORY)' '$(TAG)' '$(COMMIT)' $(SERVERS)

$(GORELEASER):
	GOBIN=$(TOOLS) $(GO) install github.com/goreleaser/goreleaser/v2@v2.15.1
	mv $(TOOLS)/goreleaser $@

$(CYCLONEDX): # bills of materials
	GOBIN=$(TOOLS) $(GO) install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
	mv $(TOOLS)/cyclonedx-gomod $@

# The versions are those of scripts/apiserver/go.mod. The first time it compiles Kubernetes, about 8 minutes of a core.
$(APISERVER):
	GOWORK=off $(GO) build -C scripts/apiserver -p 2 -trimpath -ldflags '-s -w -X k8s.io/component-base/version.gitVersion=$(lastword $(subst -, ,$(@F)))' -o $@ k8s.io/kubernetes/cmd/kube-apiserver

$(ETCD):
	GOWORK=off $(GO) build -C scripts/apiserver -p 2 -trimpath -ldflags '-s -w' -o $@ go.etcd.io/etcd/server/v3

$(IMAGE): scripts/image/go.mod scripts/image/go.sum $(wildcard scripts/image/*.go)
	$(GO) build -C scripts/image -o $@ .

$(NFPM): # what goreleaser builds packages with
	GOBIN=$(TOOLS) $(GO) install github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
	mv $(TOOLS)/nfpm $@

.PHONY: docs
docs: build ## write docs/settings.md from the settings
	mkdir -p docs && bin/tasador config reference > docs/settings.md

.PHONY: fmt
fmt: ## format the code
	gofmt -w main.go roles pkg web migrations k8s scripts

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
