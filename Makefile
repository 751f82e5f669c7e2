# Every command of the README and of continuous integration. `make` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

# Where rustup puts cargo, for a shell that has not read its profile since; and where Debian keeps
# sysctl, which is not in the PATH of a user who is not root.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin:/usr/sbin:/sbin
export CARGO_TARGET_DIR := $(CURDIR)/target

PROGRAMS := flatland flatland-ipam routed

## NODES: demo: how many nodes
NODES ?= 3
## PODS: demo: how many pods on each node
PODS ?= 2
## FAMILIES: demo: 4, 6 or dual
FAMILIES ?= dual
## KEEP: demo: 1 leaves the cluster up and prints how to enter it
KEEP ?=
## TEST: test: run only the tests whose name contains this
TEST ?=
## PREFIX: install: routed goes to PREFIX/bin
PREFIX ?= /usr/local
## CNI_BIN: install: the folder of the CNI plugins
CNI_BIN ?= /opt/cni/bin
## DESTDIR: install: put this before every installed path (for packaging)
DESTDIR ?=
## TARGET: what to build for; the set-up picks musl, for static programs, where it can be had
TARGET = $(shell cat target/tools/triple)

# One target and one set of features for build, tests and lints: dependencies compile once.
CARGO_FLAGS = --locked --workspace --target $(TARGET)
RELEASE = $(CARGO_TARGET_DIR)/$(TARGET)/release
DEMO = $(CARGO_TARGET_DIR)/$(TARGET)/demo

# Tests make network namespaces. Whoever is not root gets the user namespace in which they may.
ifneq ($(shell id -u),0)
IN_NAMESPACE = unshare --user --map-root-user --net --mount -- sh -c 'ip link set lo up && exec "$$@"' sh
endif

# Container runtimes are for tests alone, and a large download.
build demo bench lint: export WITHOUT_RUNTIMES := 1

.PHONY: help setup build demo demo-down bench test lint install clean

## help: this list
help:
	@echo 'Commands: make ...'
	@awk -F ': ' '/^## [a-z]/{ printf "  %-10s %s\n", substr($$1, 4), substr($$0, length($$1) + 3) }' Makefile
	@echo 'Variables: make demo NODES=5 PODS=3'
	@awk -F ': ' '/^## [A-Z]/{ name = substr($$1, 4); about = substr($$0, length($$1) + 3); getline; \
	    sub(/^[^=]*= ?/, ""); sub(/^\$$.*/, ""); printf "  %-10s %s%s\n", name, about, $$0 == "" ? "" : " [" $$0 "]" }' Makefile

## setup: install what building and testing need, and nothing if nothing is missing
setup:
	@tests/setup.sh $(if $(filter command,$(origin TARGET)),$(TARGET))

## build: the three release programs, in dist/bin
build: setup
	cargo build $(CARGO_FLAGS) --release $(addprefix --bin ,$(PROGRAMS))
	@mkdir -p dist/bin
	@install -m 755 $(addprefix $(RELEASE)/,$(PROGRAMS)) dist/bin/
	@cd dist/bin && for program in $(PROGRAMS); do \
	    linked=static; \
	    if LC_ALL=C readelf -lW "$$program" | grep INTERP >/dev/null; then linked=dynamic; fi; \
	    printf 'dist/bin/%-14s %5d KiB  %s\n' "$$program" "$$(( $$(stat -c %s "$$program") / 1024 ))" "$$linked"; \
	done

## demo: a cluster on this machine, in namespaces of its own: its nodes, routes, and who reaches whom
demo: setup
	@cargo build $(CARGO_FLAGS) --profile demo --bins
	@$(DEMO)/lab demo --nodes '$(NODES)' --pods '$(PODS)' --families '$(FAMILIES)' $(if $(filter-out 0,$(KEEP)),--keep)

## demo-down: take down what demo KEEP=1 left up
demo-down:
	@test -x $(DEMO)/lab || { echo 'no demo was built here, so none is up' >&2; exit 1; }
	@$(DEMO)/lab demo --down

## bench: contenders side by side in one run; figures also in target/bench
bench: setup
	@cargo build $(CARGO_FLAGS) --release --bins
	@$(RELEASE)/bench

## test: every test: units, protocol, end to end
test: setup
	cargo build $(CARGO_FLAGS) --all-targets
	@$(IN_NAMESPACE) true || { echo 'make test needs root, or a kernel that lets users make user namespaces' >&2; exit 1; }
	$(IN_NAMESPACE) cargo test $(CARGO_FLAGS) $(TEST)

## lint: format check and clippy
lint: setup
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings

## install: the plugins into CNI_BIN, routed into PREFIX/bin; run make build first
install:
	@$(foreach program,$(PROGRAMS),test -x dist/bin/$(program) || { echo 'dist/bin/$(program) is not there: run make build first' >&2; exit 1; };)
	@install -d '$(DESTDIR)$(CNI_BIN)' '$(DESTDIR)$(PREFIX)/bin'
	@place() { install -m 755 "dist/bin/$$1" "$$2/.$$1.new" && mv -f "$$2/.$$1.new" "$$2/$$1" && echo "$$2/$$1"; }; \
	place flatland '$(DESTDIR)$(CNI_BIN)'; \
	place flatland-ipam '$(DESTDIR)$(CNI_BIN)'; \
	place routed '$(DESTDIR)$(PREFIX)/bin'

## clean: everything that was built or fetched
clean:
	rm -rf target dist
