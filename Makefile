# Every command of the README and of continuous integration. `make` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

# Where rustup puts cargo, for a shell that has not read its profile since; and where Debian keeps
# sysctl, which is not in the PATH of a user who is not root.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin:/usr/sbin:/sbin
export CARGO_TARGET_DIR := $(CURDIR)/target

PLUGINS := flatland-claim flatland-ipam flatland
DAEMONS := routed flatland-policy
PROGRAMS := $(PLUGINS) $(DAEMONS)

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
## QUICK: bench: 1 takes a fifth of the samples, in a few minutes instead of twenty
QUICK ?=
## ONLY: bench: only these parts, with commas: latency, addresses, storms, first, starts, joins, large, paths, present, policies
ONLY ?=
## PREFIX: install: routed and flatland-policy go to PREFIX/bin, man pages and completions to PREFIX/share
PREFIX ?= /usr/local
## CNI_BIN: install: the folder of the CNI plugins
CNI_BIN ?= /opt/cni/bin
## DESTDIR: install: put this before every installed path (for packaging)
DESTDIR ?=
## TARGET: what to build for; the set-up picks musl, for static programs, where it can be had
TARGET = $(shell cat target/tools/triple)

# One target and one set of features for build, tests and lints: dependencies compile once.
CARGO_FLAGS = --locked --workspace --target $(TARGET)
# The plugins are loaded where they were linked for, as those that are written in Go are: a process
# that lives for a millisecond would spend 4 % of it on adapting itself to another place
# (bench/README.md). What talks to others over the network, the daemons and flatland-claim, goes to a random one.
AS_PLUGIN = --profile plugin $(call rustflags,"-C"$(comma)"relocation-model=static"$(comma)$(REMAP))
AS_RELEASE = --release $(call rustflags,$(REMAP))
rustflags = --config 'target.$(TARGET).rustflags=[$(1)]'
comma := ,
# Programs name no folder of the machine on which they were built: in another one they are the same. With
# rustup's rust-src, the standard library has the path of its source; without, the one that this gives it.
RUST_SOURCE = $(shell rustc --print sysroot)/lib/rustlib/src/rust
RUST_COMMIT = $(shell rustc --version --verbose | sed -n 's/^commit-hash: //p')
REMAP = "--remap-path-prefix=$(CURDIR)=flatland","--remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo",$\
    "--remap-path-prefix=$(RUST_SOURCE)=/rustc/$(RUST_COMMIT)"
PLUGIN = $(CARGO_TARGET_DIR)/$(TARGET)/plugin
RELEASE = $(CARGO_TARGET_DIR)/$(TARGET)/release

# The other of the two processors is compiled for (ring has C) and linked with Debian's compiler.
OTHER_x86_64 := aarch64
OTHER_aarch64 := x86_64
OTHER := $(OTHER_$(shell uname -m))
export CC_$(OTHER)_unknown_linux_musl ?= $(OTHER)-linux-gnu-gcc
export CARGO_TARGET_$(shell echo $(OTHER) | tr a-z A-Z)_UNKNOWN_LINUX_MUSL_LINKER ?= $(OTHER)-linux-gnu-gcc
# Programs and image for it have a folder of their own.
DIST = dist$(if $(filter $(OTHER)-%,$(TARGET)),/$(ARCHITECTURE))
DEMO = $(CARGO_TARGET_DIR)/$(TARGET)/demo

# As container images call what TARGET is for.
ARCHITECTURE = $(patsubst x86_64,amd64,$(patsubst aarch64,arm64,$(firstword $(subst -, ,$(TARGET)))))

# A plugin, what it is for and its configuration, for the conformance suite.
judge = --plugin $(1) --kind $(2) --config tests/conformance/configs/$(3).json
DEBUG = $(CARGO_TARGET_DIR)/$(TARGET)/debug
CONFORMANCE = $(DEBUG)/conformance --with $(DEBUG)/flatland-claim \
    $(call judge,$(DEBUG)/flatland,interface,flatland) \
    $(call judge,/usr/lib/cni/ptp,interface,ptp) \
    $(call judge,/usr/lib/cni/bridge,interface,bridge) \
    $(call judge,$(DEBUG)/flatland-ipam,ipam,flatland) \
    $(call judge,/usr/lib/cni/host-local,ipam,ptp) \
    $(call judge,/usr/lib/cni/tuning,chained,tuning) \
    $(call judge,/usr/lib/cni/portmap,chained,portmap)

# Tests make network namespaces. A user other than root gets a user namespace, where that is allowed.
ifneq ($(shell id -u),0)
IN_NAMESPACE = unshare --user --map-root-user --net --mount -- sh -c 'ip link set lo up && exec "$$@"' sh
endif

# Container runtimes are for tests alone, and a large download.
build image release release-check demo bench conformance docs lint: export WITHOUT_RUNTIMES := 1
image release release-check: export WITH_IMAGE := 1
release release-check: export WITH_RELEASE := 1
lint: export WITH_DENY := 1

# What is built: the commit, and whether there is more than that in the tree.
VERSION := $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
COMMIT := $(or $(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null),unknown)
# Not for tests, which would be built anew for each commit.
build image: export FLATLAND_VERSION := $(VERSION) ($(COMMIT))
IMAGE = localhost/flatland:$(VERSION)

.PHONY: help setup build image release release-check demo demo-down bench conformance docs test lint install clean

## help: this list
help:
	@echo 'Commands: make ...'
	@awk -F ': ' '/^## [a-z]/{ printf "  %-13s %s\n", substr($$1, 4), substr($$0, length($$1) + 3) }' Makefile
	@echo 'Variables: make demo NODES=5 PODS=3'
	@awk -F ': ' '/^## [A-Z]/{ name = substr($$1, 4); about = substr($$0, length($$1) + 3); getline; \
	    sub(/^[^=]*= ?/, ""); sub(/^\$$.*/, ""); printf "  %-13s %s%s\n", name, about, $$0 == "" ? "" : " [" $$0 "]" }' Makefile

## setup: install what building and testing need, and nothing if nothing is missing
setup:
	@tests/setup.sh $(if $(filter command,$(origin TARGET)),$(TARGET))

## build: the release programs, in dist/bin; TARGET=aarch64-unknown-linux-musl: in dist/arm64/bin
build: setup
	cargo build $(CARGO_FLAGS) $(AS_RELEASE) $(addprefix --bin ,$(DAEMONS))
	@# Without the other crates, whose features would bring the client of the Kubernetes API.
	cargo build --locked --target $(TARGET) $(AS_RELEASE) --package flatland-ipam --bin flatland-claim
	cargo build $(CARGO_FLAGS) $(AS_PLUGIN) --bin flatland
	@mkdir -p $(DIST)/bin
	@install -m 755 $(PLUGIN)/flatland $(RELEASE)/flatland-claim $(addprefix $(RELEASE)/,$(DAEMONS)) $(DIST)/bin/
	@# One file with two names: flatland then does the work of flatland-ipam within its own process.
	@ln -f $(DIST)/bin/flatland $(DIST)/bin/flatland-ipam
	@cd $(DIST)/bin && for program in $(PROGRAMS); do \
	    linked=static; \
	    if LC_ALL=C readelf -lW "$$program" | grep INTERP >/dev/null; then linked=dynamic; fi; \
	    machine=$$(LC_ALL=C readelf -hW "$$program" | sed -n 's/^ *Machine: *//p'); \
	    printf '$(DIST)/bin/%-15s %5d KiB  %s  %s\n' "$$program" "$$(( $$(stat -c %s "$$program") / 1024 ))" "$$linked" "$$machine"; \
	done

## image: an OCI archive of the release programs, in dist; takes no container runtime and no registry
image: build
	@rm -rf $(DIST)/flatland-image.tar target/image
	@# Nothing is pulled, so there are no signatures to check; buildah insists on a policy.
	@echo '{"default":[{"type":"insecureAcceptAnything"}]}' >target/policy.json
	@export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs; \
	policy=--signature-policy=target/policy.json; \
	buildah build $$policy --quiet --format oci --timestamp 0 --platform linux/$(ARCHITECTURE) \
	    --build-arg 'VERSION=$(VERSION)' --build-arg 'COMMIT=$(COMMIT)' --build-arg 'BIN=$(DIST)/bin' \
	    --tag '$(IMAGE)' --file conf/Containerfile . >/dev/null; \
	buildah push $$policy --quiet '$(IMAGE)' 'oci:target/image:$(IMAGE)'; \
	buildah rmi '$(IMAGE)' >/dev/null
	@# The same programs give the same archive, bit for bit.
	@tar --create --file $(DIST)/flatland-image.tar --directory target/image --sort=name --mtime=@0 \
	    --owner=0 --group=0 --numeric-owner --mode=a+rX,u+w,go-w blobs index.json oci-layout
	@printf '$(DIST)/flatland-image.tar %d KiB  %s for linux/%s\n' \
	    "$$(( $$(stat -c %s $(DIST)/flatland-image.tar) / 1024 ))" '$(IMAGE)' '$(ARCHITECTURE)'
	@echo 'load it on every node: ctr -n k8s.io images import flatland-image.tar'

## release: for both processors, in dist/release: programs, image, chart, .deb, SBOMs, checksums (docs/releasing.md)
release: setup
	@conf/packaging/release.sh '$(VERSION)' '$(COMMIT)'

## release-check: a release made in two folders has the same bytes, and its .deb installs, upgrades and purges
release-check: release
	@tests/release/reproduce.sh
	@tests/release/deb.sh dist/release/flatland_$(VERSION)_$$(dpkg --print-architecture).deb

## demo: a cluster on this machine, in namespaces of its own: its nodes, routes, and who reaches whom
demo: setup
	@cargo build $(CARGO_FLAGS) --profile demo --bins
	@$(DEMO)/lab demo --nodes '$(NODES)' --pods '$(PODS)' --families '$(FAMILIES)' $(if $(filter-out 0,$(KEEP)),--keep)

## demo-down: take down what demo KEEP=1 left up
demo-down:
	@test -x $(DEMO)/lab || { echo 'no demo was built here, so none is up' >&2; exit 1; }
	@$(DEMO)/lab demo --down

## bench: contenders side by side in one run; tables, figures and plots also in target/bench
bench: build
	@cargo build $(CARGO_FLAGS) $(AS_PLUGIN) --bin floor --bin one-file
	@cargo build $(CARGO_FLAGS) --profile demo --bin bench --bin lab
	@mkdir -p target/bench/bin
	@install -m 755 $(addprefix dist/bin/,$(PROGRAMS)) $(PLUGIN)/floor $(PLUGIN)/one-file $(DEMO)/bench $(DEMO)/lab target/bench/bin/
	@ln -f target/bench/bin/flatland target/bench/bin/flatland-ipam
	@target/bench/bin/bench $(if $(filter-out 0,$(QUICK)),--quick) $(if $(ONLY),--only '$(ONLY)')

## conformance: ours and Debian's CNI plugins side by side, by every requirement of the CNI spec
conformance: setup
	@cargo build $(CARGO_FLAGS) --bins
	@$(CONFORMANCE) || test $$? -eq 1 # 1: a plugin fails a MUST, as those of others may

## docs: write anew what is made from the types: configuration reference, man pages, completions, chart values
docs: setup
	FLATLAND_WRITE_DOCS=1 cargo test $(CARGO_FLAGS) --quiet --bin routed --bin flatland-policy reference::
	FLATLAND_WRITE_DOCS=1 cargo test $(CARGO_FLAGS) --quiet --test docs helm

## test: every test: units, protocol, end to end
test: setup
	cargo build $(CARGO_FLAGS) --all-targets
	@$(IN_NAMESPACE) true || { echo 'make test needs root, or a kernel that lets users make user namespaces' >&2; exit 1; }
	$(IN_NAMESPACE) cargo test $(CARGO_FLAGS) $(TEST)

## lint: format check, clippy, and licences, sources and versions of dependencies (deny.toml)
lint: setup
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	cargo fetch --quiet --locked --target $(TARGET)
	target/tools/bin/cargo-deny --offline --locked --target $(TARGET) check \
	    -D unmatched-skip -D unnecessary-skip licenses sources bans

## install: the plugins into CNI_BIN, daemons, man pages and completions into PREFIX; after make build
install:
	@$(foreach program,$(PROGRAMS),test -x dist/bin/$(program) || { echo 'dist/bin/$(program) is not there: run make build first' >&2; exit 1; };)
	@place() { install -d "$$3" && install -m "$$1" "$$2" "$$3/.$$4.new" && mv -f "$$3/.$$4.new" "$$3/$$4" && echo "$$3/$$4"; }; \
	share='$(DESTDIR)$(PREFIX)/share'; \
	bin='$(DESTDIR)$(CNI_BIN)'; \
	for plugin in $(filter-out flatland-ipam,$(PLUGINS)); do place 755 "dist/bin/$$plugin" "$$bin" "$$plugin"; done; \
	ln -f "$$bin/flatland" "$$bin/.flatland-ipam.new" && mv -f "$$bin/.flatland-ipam.new" "$$bin/flatland-ipam" && echo "$$bin/flatland-ipam"; \
	for daemon in $(DAEMONS); do place 755 "dist/bin/$$daemon" '$(DESTDIR)$(PREFIX)/bin' "$$daemon"; done; \
	for page in docs/man/*.8; do place 644 "$$page" "$$share/man/man8" "$${page##*/}"; done; \
	for daemon in $(DAEMONS); do \
	    place 644 "conf/completions/$$daemon.bash" "$$share/bash-completion/completions" "$$daemon"; \
	    place 644 "conf/completions/_$$daemon" "$$share/zsh/site-functions" "_$$daemon"; \
	    place 644 "conf/completions/$$daemon.fish" "$$share/fish/vendor_completions.d" "$$daemon.fish"; \
	done

## clean: everything that was built or fetched
clean:
	rm -rf target dist
