# What a person or a machine does with this work tree. Everything that takes
# minutes is built once and kept in the cache; everything prints what it is at.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kluis
DENY_VERSION := 0.20.2
DENY := $(CACHE)/tools/cargo-deny-$(DENY_VERSION)/bin/cargo-deny

# One set of flags for every command, so that nothing is built twice. Debug
# information and incremental state take more time than they save here.
export CARGO_INCREMENTAL ?= 0

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: check
check: fmt clippy deny docs ## format, lints, licences and documentation, with warnings as errors

.PHONY: fmt
fmt:
	cargo fmt --all --check

.PHONY: clippy
clippy:
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: docs
docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

.PHONY: deny
deny: $(DENY)
	$(DENY) --locked check licenses bans sources

.PHONY: advisories
advisories: $(DENY) ## known vulnerabilities in what we depend on (fetches the RustSec database)
	$(DENY) --locked check advisories

$(DENY):
	@echo "building cargo-deny $(DENY_VERSION) (once, a few minutes)"
	cargo install --quiet --locked cargo-deny@$(DENY_VERSION) --root $(CACHE)/tools/cargo-deny-$(DENY_VERSION) --target-dir $(CACHE)/tools/build

.PHONY: tools
tools: ## installs what the tests run (as root), or lists what is missing
	@.ci/tools

# Everything is built as one workspace: a part built alone would have its
# dependencies compiled once more, with other features.
.PHONY: build
build: ## the binary, and what the tests and the demo run beside it
	cargo build --workspace --bins --locked

.PHONY: controlplane
controlplane: build ## builds the Kubernetes control plane of the tests into the cache
	"$$(.ci/target-dir)/debug/controlplane"

# What the tests drive is built first and handed to them, so that they do not
# find out in the middle that they have to wait for a compiler.
.PHONY: test
test: tools check controlplane ## everything: check, and every test on real parts
	cargo test --workspace --locked --doc
	KLUIS_BIN="$$(.ci/target-dir)/debug/kluis" cargo test --workspace --locked --no-fail-fast --lib --bins --tests

# Asked for by name it fails where a node cannot run; KLUIS_NODE_OPTIONAL=1 lets that pass, loudly.
.PHONY: test-node
test-node: tools controlplane ## Kluis in pods, installed by helm on a real one-node Kubernetes (as root)
	@.ci/tools node
	KLUIS_BIN="$$(.ci/target-dir)/debug/kluis" "$$(.ci/target-dir)/debug/node" test

.PHONY: demo
demo: tools controlplane ## shows it all on a real API server; KEEP=1 leaves it running, KUBECONFIG=… takes that cluster
	KLUIS_BIN="$$(.ci/target-dir)/debug/kluis" "$$(.ci/target-dir)/debug/demo"

.PHONY: demo-stop
demo-stop: build ## ends what `make demo KEEP=1` left running
	"$$(.ci/target-dir)/debug/demo" stop

.PHONY: image
image: build ## packs the container image into target/image, without a daemon
	cargo build --release --locked --package kluis --bin kluis
	"$$(.ci/target-dir)/debug/image" "$$(.ci/target-dir)/release/kluis" target/image

.PHONY: bench
bench: tools controlplane ## measures against stock restic and against kubectl, one line a figure
	cargo run --release --quiet --locked --package kluis-policy --example bench-policy
	cargo run --release --quiet --locked --package kluis-vault --example bench
	cargo build --release --quiet --locked --workspace --bins
	KLUIS_BIN="$$(.ci/target-dir)/release/kluis" "$$(.ci/target-dir)/release/bench-job"
	KLUIS_BIN="$$(.ci/target-dir)/release/kluis" "$$(.ci/target-dir)/release/bench-operator"
	KLUIS_BIN="$$(.ci/target-dir)/release/kluis" MACHINES=10000 VAULTS=20 REST_SECONDS=60 "$$(.ci/target-dir)/release/bench-operator"
