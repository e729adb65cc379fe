# The front door: `make help`. The local stack itself is `cargo run`.

# What the machine lacks goes to .tools and tests/node_modules; only chromium is Debian's.
export PATH := $(CURDIR)/.tools/python/bin:$(PATH)
# SAM asks AWS for nothing here, but wants a region, and would send statistics.
export AWS_DEFAULT_REGION ?= eu-west-1
export SAM_CLI_TELEMETRY := 0

FUNCTIONS := $(notdir $(patsubst %/Cargo.toml,%,$(wildcard functions/*/Cargo.toml)))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help test fmt deny template lint docs unit browser schemathesis build empty lambda deployed deploy doctor guard record bench micro peers load fuzz mutants audit tools machine

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

test: fmt deny template lint docs unit browser schemathesis lambda guard deployed ## Everything, what fails cheaply first; CI runs this

fmt: machine ## Is everything formatted?
	cargo fmt --all --check

deny: tools ## Licences, bans and sources of the dependencies
	cargo deny --locked check bans licenses sources

TEMPLATES := template.yaml infra/alarms.yaml infra/dashboard.yaml infra/front.yaml

template: tools ## Do SAM and the scanners take the templates, is infra/openapi.yaml OpenAPI, when is there a new version?
	sam validate --lint
	cfn-lint $(TEMPLATES)
	.tools/checkov/bin/checkov --framework cloudformation --skip-download --compact --quiet $(TEMPLATES:%=--file %)
	openapi-spec-validator infra/openapi.yaml
	.tools/python/bin/python tests/template/release.py

lint: machine ## Clippy on every target; a warning is an error
	cargo clippy --locked --workspace --all-targets -- --deny warnings

docs: machine ## The documentation of every item; a warning is an error
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps --document-private-items

unit: tools ## Every Rust test, but for those of the compiled functions
	tests/tools/dynamodb-local.sh with cargo nextest run --locked --workspace --filterset 'not binary(processes)'

browser: tools ## The journeys in Chromium
	cargo build --locked --package local-stack
	cd tests && npm run --silent browser

schemathesis: tools ## Whatever infra/openapi.yaml allows and forbids, asked of the local stack
	cargo build --locked --package local-stack
	python3 tests/schemathesis/run.py

# Package by package: in one build the features of all functions would add up in each.
build: tools ## Every function as Lambda runs it, for this machine's processor
	for function in $(FUNCTIONS); do cargo lambda build --locked --release --package $$function || exit; done

# All that asks the functions over HTTP, but for the stories that move the clock, which the compiled functions do not share.
lambda: build ## Routes, journeys and contract again, through the compiled functions behind Lambda's protocol, and how these start
	FUNCTIONS=compiled tests/tools/dynamodb-local.sh with cargo nextest run --locked --workspace \
		--filterset 'binary(/^(calls|contract|journeys|processes|routes)$$/) and not test(/^(requirement|time)::/)'

# What is deployed has one table, one provider and one configuration, so of each story one combination, one at a time. Left out are the
# stories that set variables, move the clock or count the calls to the database.
DEPLOYED_STORIES := binary(journeys) and test(/::on_the_embedded_engine_with_the_development_provider$$/) \
	and not test(/^(accounts_site|requirement|time)::/) \
	and not test(/::(always|never)_asks|::an_identity_(that_was_taken|belongs)|::a_linked_account_takes|::whoever_linked_signs_in/) \
	and not test(/::a_ticket_that_comes_late|::switching_asks_even|::a_switch_that_fails|::the_identity_left_behind/) \
	and not test(/::two_tabs_with_two|::disconnecting_frees|::a_flow_begun_before|::support_disconnects|::a_conflict_says/)

deployed: build .tools/ministack/requirements.txt ## template.yaml deployed to an emulator of AWS: the journeys, and what AWS saw of them
	cargo build --locked --package local-stack --package doctor
	.tools/ministack/bin/python tests/deploy/deployed.py sh -ec '\
		FUNCTIONS=deployed cargo nextest run --locked --workspace --test-threads 1 --no-fail-fast --filterset "$(DEPLOYED_STORIES)"; \
		.tools/ministack/bin/python tests/deploy/checks.py'

deploy: tools ## template.yaml into the AWS account of your credentials: ENV=dev, staging or production
	infra/deploy.sh $(ENV)

doctor: tools ## Is what infra/environments says of ENV right? Asks the provider, and AWS for what is deployed
	cargo build --locked --package doctor
	.tools/python/bin/python infra/doctor/run.py $(ENV)

# The least that a function can be, to compare with.
empty: tools
	cargo lambda build --locked --release --package empty

# For what callgrind counts: the same randomness in every process.
target/fixed-seeds.so: tests/bench/fixed_seeds.c | machine
	mkdir -p $(@D)
	$(CC) -shared -fPIC -O2 -Wall -Werror -o $@ $<

guard: build empty target/fixed-seeds.so /usr/bin/valgrind ## Instructions, sizes, crates and calls of the functions against what is recorded; never a time
	cargo run --locked --release --package bench -- guard

record: build empty target/fixed-seeds.so /usr/bin/valgrind ## Record them anew, when they are meant to change
	cargo run --locked --release --package bench -- record

bench: build empty ## The functions against an empty one, every bound beside its figure; PEERS=1: against Node and Python, and README's plot anew
	$(if $(PEERS),$(MAKE) peers)
	cargo run --locked --release --package bench -- compare $(if $(PEERS),--peers)

micro: target/fixed-seeds.so /usr/bin/valgrind ## What the parts of a call take: time here, instructions anywhere
	cargo run --locked --release --package bench -- micro

load: ## Journeys at full speed, a minute a row: 1, 8 and 64 browsers, a thousand and a million links; then 20 minutes for the memory
	cargo build --locked --release --package local-stack
	cargo run --locked --release --package tests --bin load

# What the same would be in Node and in Python.
peers: .tools/peers/requirements.txt
	cd tests/bench/peers/node && npm ci && npm run build

CARGO_FUZZ := .tools/cargo-fuzz-0.13.2/bin/cargo-fuzz
FUZZ_TARGETS := $(notdir $(basename $(wildcard shared/fuzz/fuzz_targets/*.rs)))
# A target gets 16 KiB at most. That it asks for a megabyte at once, for half a gigabyte in all, or for five seconds is a finding.
FUZZ_BOUNDS := -max_len=16384 -malloc_limit_mb=1 -rss_limit_mb=512 -timeout=5

# The versions are those of Cargo.lock. Inputs that reach something new go to `found`, which is not checked in.
fuzz: machine $(CARGO_FUZZ) ## libFuzzer on TARGET=jwks for SECONDS=600, or until Ctrl-C; without TARGET: which there are
	@$(if $(filter $(FUZZ_TARGETS),$(TARGET)),,echo "TARGET is one of: $(FUZZ_TARGETS)" >&2; exit 2)
	@rustup run nightly rustc --version >/dev/null || { echo "libFuzzer needs nightly: rustup toolchain install nightly" >&2; exit 1; }
	cp Cargo.lock shared/fuzz/Cargo.lock
	mkdir -p shared/fuzz/found/$(TARGET)
	RUSTUP_TOOLCHAIN=nightly $(CARGO_FUZZ) run --fuzz-dir shared/fuzz $(TARGET) shared/fuzz/found/$(TARGET) shared/fuzz/corpus/$(TARGET) \
		-- $(FUZZ_BOUNDS) -max_total_time=$(or $(SECONDS),0)

CARGO_MUTANTS := .tools/cargo-mutants-27.1.0/bin/cargo-mutants
MODULES := flow link session seal provider http

# In a copy of the tree, without what only a debugger needs; what is left out, and why: .cargo/mutants.toml.
mutants: machine $(CARGO_MUTANTS) ## What of MODULE=flow, or of all six, could be otherwise without a unit test that minds; an hour and more
	@for module in $(or $(MODULE),$(MODULES)); do \
		mkdir -p target/mutants/$$module; \
		CARGO_PROFILE_DEV_DEBUG=none $(CARGO_MUTANTS) mutants --package account-linking --features table,relying-party,lambda \
			--file "shared/src/$$module.rs" --file "shared/src/$$module/**" --cargo-arg=--locked --cargo-arg=--lib \
			--cap-lints=true --no-shuffle --output target/mutants/$$module || failed="$$failed $$module"; \
	done; for module in $$failed; do echo "see target/mutants/$$module/mutants.out" >&2; done; [ -z "$$failed" ]

audit: tools ## Is anything known against a dependency? Asks the RustSec database, so it is no part of test
	cargo deny --locked check advisories

tools: machine .tools/python/requirements.txt .tools/checkov/requirements.txt .tools/dynamodb-local/package tests/node_modules/.package-lock.json /usr/bin/chromium ## What the tests need beyond the machine

machine:
	@tests/tools/machine.sh

# The target is the list as it was installed: when it changes, it is installed again.
define venv
rm -rf $(@D)
python3 -m venv $(@D)
$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
cp $< $@
endef

.tools/python/requirements.txt: tests/tools/requirements.txt
	$(venv)

.tools/ministack/requirements.txt: tests/tools/ministack.txt
	$(venv)

.tools/peers/requirements.txt: tests/bench/peers/python/requirements.txt
	$(venv)

# Apart from the others: it asks for other versions of what they share.
.tools/checkov/requirements.txt: tests/tools/checkov.txt
	$(venv)

.tools/dynamodb-local/package: tests/tools/dynamodb-local.sh
	tests/tools/dynamodb-local.sh install
	touch $@

tests/node_modules/.package-lock.json: tests/package-lock.json tests/package.json tests/.npmrc
	cd tests && npm ci
	touch $@

.tools/cargo-fuzz-%/bin/cargo-fuzz:
	cargo install --locked --quiet --root $(@D)/.. --version $* cargo-fuzz

.tools/cargo-mutants-%/bin/cargo-mutants:
	cargo install --locked --quiet --root $(@D)/.. --version $* cargo-mutants

/usr/bin/valgrind:
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || \
		{ echo "valgrind is missing; as root: apt-get install valgrind" >&2; exit 1; }
	apt-get update --quiet
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends valgrind

/usr/bin/chromium:
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || \
		{ echo "chromium is missing; as root: apt-get install chromium fonts-liberation" >&2; exit 1; }
	apt-get update --quiet
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends chromium fonts-liberation
