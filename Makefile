# The commands of a working copy. Everything that is missing on the machine is obtained by the target that needs it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help first-build dev dev-vault build test lint pictures fuzz rounds bench bench-tenants timing clean

# STATE          folder that make dev keeps everything in; .dev, and .dev-vault for make dev-vault: keys cannot move
ARGS ?=#         more arguments for gatehouse dev: make dev ARGS="--listen 127.0.0.1:9000"
RUN ?=#          only tests that match: make test RUN=TestLogin
PKG ?= ./...#    only these packages: make test PKG=./tenancy/...
TIME ?= 30s#     for each fuzz target: make fuzz TIME=5m
ROUNDS ?= 1000#  of each test: make rounds ROUNDS=100
SAMPLES ?= 400#  of each class: make timing SAMPLES=1000
BENCH ?=#        flags of the measurement: make bench BENCH=-quick
TESTFLAGS ?=#    more flags for go test: make test TESTFLAGS=-count=1
TEST_TIMEOUT ?= 40m

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "with:"
	@awk -F '[?# ]+' '/^(# )?[A-Z]+ +(\?=.*#)? .*(: make |;)/{sub(/^# /, ""); name = $$1; sub(/^[A-Z]+ +(\?=[^#]*# +)?/, ""); printf "  %-10s %s\n", name, $$0}' $(MAKEFILE_LIST)

dev: STATE ?= .dev
dev-vault: STATE ?= .dev-vault

# The program is built and then run, not `go run`: Ctrl-C must reach it, and nothing between may outlive it or swallow its exit code.
dev: first-build build ## run gatehouse on this machine with a private Postgres and two demo tenants
	@exec bin/gatehouse dev --state "$(STATE)" $(ARGS)

dev-vault: build ## the same with keys in a real Vault (built the first time: some minutes)
	@echo "building Vault from its Go module (the first time: some minutes and half a gigabyte) ..." >&2
	@GOWORK=off go build -C internal/vaultdev -mod=readonly -ldflags='-s -w' -o "$(CURDIR)/bin/vaultdev" .
	@mkdir -p "$(STATE)"
	@# Its log is off: Vault's counting of clients logs two errors at each start, and what fails for real is answered.
	@exec bin/vaultdev -log-level off -storage "$(STATE)/vaultdev" -info "$(STATE)/vaultdev.json" -- bin/gatehouse dev --state "$(STATE)" $(ARGS)

first-build:
	@[ -x bin/gatehouse ] || echo "building bin/gatehouse (the first time about a minute) ..." >&2

build: ## build bin/gatehouse
	@go build -o bin/ ./cmd/gatehouse

# Results of go test are cached: tests that use a server always run, because the server's address is part of their
# input, and the others run when their code changed. CI asks for all of them with TESTFLAGS=-count=1.
test: lint ## everything CI runs: lint, then all tests with the race detector on a real Postgres and Vault
ifeq ($(RUN),)
	@.ci/test -timeout $(TEST_TIMEOUT) $(TESTFLAGS) $(PKG)
else
	@set -o pipefail; .ci/test -timeout $(TEST_TIMEOUT) -run '$(RUN)' $(TESTFLAGS) $(PKG) | RUN='$(RUN)' awk '\
		{print; fflush()} /^0 passed, 0 failed$$/ {none = 1} \
		END {if (none) {print "make test: no test in $(PKG) matches RUN=" ENVIRON["RUN"] >"/dev/stderr"; exit 1}}'
endif

lint: ## formatting, go vet and golangci-lint
	@.ci/lint

pictures: ## take the pictures of pages that the README shows
	@go build -o bin/ ./internal/testenv/teststack
	@rm -rf .cache/pictures && bin/teststack -- go test -count=1 -run 'AreAccessible' ./cmd/gatehouse
	@mkdir -p docs/pictures && cd .cache/pictures && cp sign-in-desktop-light.png ../../docs/pictures/sign-in.png && cp enrolment-app-phone-light.png ../../docs/pictures/enrolment-app.png && \
		cp console-people-desktop-light.png ../../docs/pictures/console-people.png && cp console-rehearsal-desktop-light.png ../../docs/pictures/console-rehearsal.png

fuzz: ## run every fuzz target for TIME each
	@.ci/fuzz $(TIME)

rounds: ## try what must happen once ROUNDS times with fifty at once
	@GATEHOUSE_TEST_ROUNDS=$(ROUNDS) .ci/test -count=1 -timeout 0 -run 'AtOnceAreOneRotation|IsUsedOnce|HoweverManyTryAtOnce|FiftyAtOnceCreateOnce' ./cmd/gatehouse ./tenancy

bench: build ## measure logins, second factors, starts, tenants: a table, and bench-out/bench.json; ten minutes of a quiet Linux machine
	@go build -o bin/ ./internal/bench
	@exec bin/bench $(BENCH)

bench-tenants: build ## measure 1 to 10,000 tenants over ten databases: a table, and bench-out/tenants.json and .svg; an hour of a quiet Linux machine
	@go build -o bin/ ./internal/bench
	@exec bin/bench tenants $(BENCH)

timing: build ## compare the times of answers that must be alike, class against class: a report
	@go build -o bin/ ./internal/bench
	@exec bin/bench -alike $(SAMPLES)

clean: ## remove what was built; the state of make dev (.dev, .dev-vault) stays
	@rm -rf bin bench-out
