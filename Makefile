# Everything a person or a pipeline does here has a target; `make help` lists them.
# Needed beforehand: make, bash, npm with any Node from 18 on. The Node that runs Safefile comes with `npm ci`.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

bin := $(CURDIR)/node_modules/.bin
# `npm ci` deletes node_modules, so it must not run on the Node inside it.
path_outside := $(subst $(bin):,,$(PATH))
export PATH := $(bin):$(path_outside)
# Set only for recipes, and looked up there: `make help` must work before `make setup`.
redis = export REDIS_SERVER_BIN="$$(scripts/ensure-redis.sh)"

.PHONY: help setup build generate vendor check check-lint check-types check-protos test conformance crash plants sim coverage mutate run demo bench bench-quick bench-locks bench-peers profile soak clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: node_modules/.package-lock.json ## install packages, Node 24 and, where none is found, Redis
	@node -e 'process.exit(parseInt(process.versions.node) >= 24 ? 0 : 1)' || { echo "Safefile needs Node 24 and npm could not install it for this platform ($$(node -p 'process.platform + "-" + process.arch')): install Node 24 by hand." >&2; exit 1; }
	@scripts/ensure-redis.sh >/dev/null

# npm writes this file last, so an interrupted install is repeated. A lockfile from a merge is newer: install again.
node_modules/.package-lock.json: package-lock.json
	PATH="$(path_outside)" npm ci --loglevel=error
	@# npm 9 does not link the commands of optional packages.
	@for node in node_modules/node-*/bin/node; do [ ! -x "$$node" ] || ln -sfn "../../$$node" "$(bin)/node"; done
	@touch $@

build: setup ## compile everything into dist/
	@tsc -b
	@if [ -f clients/cli/dist/main.js ]; then chmod +x clients/cli/dist/main.js && ln -sfn ../../clients/cli/dist/main.js "$(bin)/safefile"; fi

generate: setup ## generate code from proto/
	@scripts/generate.sh

vendor: setup ## copy the third-party protos from their packages
	@scripts/vendor-protos.sh

check: check-lint check-types check-protos ## lint, import arrows, types, protos, drift of generated code

check-lint: setup ## formatting, lint rules and the import arrows
	@biome check --error-on-warnings

check-types: build ## the compiler's opinion of everything

check-protos: setup ## lint, format, breaking changes and drift of generated code
	@scripts/check-protos.sh

# Counts of the long tests: SAFEFILE_TEST_KILLS (20), SAFEFILE_TEST_ZOMBIES (10). One file: make test TESTS=test/lock
test: build ## run all tests, or those whose path holds $TESTS
	@$(redis) && node scripts/test.mjs $(TESTS)

# LANGUAGES=go,rust for some; PLANTS=all plants each case's bug for each language, too.
conformance: build ## run one table of cases with the clients of all languages
	@$(redis) && $(if $(LANGUAGES),SAFEFILE_TEST_LANGUAGES="$(LANGUAGES)") $(if $(PLANTS),SAFEFILE_TEST_PLANTS="$(PLANTS)") node scripts/test.mjs test/conformance

# KILLS, ZOMBIES, COMMITS, CUTS (for each of FILE_SYSTEMS, as ext4,xfs,btrfs) say how much; POINTS=all, every error at every call.
crash_counts = $(foreach name,KILLS ZOMBIES COMMITS CUTS FILE_SYSTEMS POINTS,$(if $($(name)),SAFEFILE_TEST_$(name)="$($(name))"))
crash: build ## kill it, stop it, cut its power, fail each of its calls: make crash KILLS=200 CUTS=50 POINTS=all
	@$(redis) && $(crash_counts) node scripts/test.mjs test/crash test/faults

plants: build ## plant bugs, one at a time, that the tests must find
	@$(redis) && node scripts/test.mjs test/plants

sim: build ## simulate replicas, mishaps and power cuts from SEEDS seeds FROM one on
	@exec node --enable-source-maps dist/test/sim/main.js

coverage: build ## branches of journal, commit and recovery that the fast tests do not take
	@$(redis) && scripts/coverage.sh

mutate: build ## change journal and commit in small ways that the tests must notice; FILES=journal/frame.js for one
	@$(redis) && scripts/mutate.sh $(FILES)

run: build ## start one replica with its own Redis and a volume in ./data
	@$(redis) && exec node dist/services/run.js

demo: build ## show the story on a real tree
	@$(redis) && exec node dist/demo/main.js

# SAFEFILE_BENCH_DIR puts the volumes elsewhere, SAFEFILE_BENCH_WHERE says where that is; SAFEFILE_BENCH_CASES names
# words of titles, as bench/cases.ts has them, for some of it only.
bench: build ## measure Safefile against what people would use instead; adds to bench/RESULTS.md, takes half an hour
	@$(redis) && exec node dist/bench/main.js

bench-quick: build ## the same in two minutes, printed only
	@$(redis) && exec node dist/bench/main.js quick

profile: build ## where a replica's processor time goes under durable overwrites; a flame graph in .tools/profile
	@$(redis) && exec node dist/bench/profile/main.js

# etcd is built from the Go module proxy where there is Go, and left out where there is none.
bench-locks: build ## measure leases against npm redlock, etcd and a bare SET NX
	@etcd="$$(scripts/etcd.sh)"; $(redis) && SAFEFILE_BENCH_ETCD="$$etcd" exec node dist/bench/locks/main.js

# A few minutes, once; what cannot be built is left out. No other target needs them.
bench-peers: ## install what the benchmarks compare with: MinIO, restic, write-file-atomic
	@scripts/peers.sh

# MINUTES (60), KILL_SECONDS (60) and SEED say how long, how often, and which; SAFEFILE_BENCH_DIR where. Some GiB an hour.
soak: build ## an hour of mixed load with a kill every minute; judges every answer, adds to bench/RESULTS.md
	@$(redis) && exec node --enable-source-maps dist/bench/soak/main.js

clean: ## remove what was built; packages, ./data and ./.tools stay
	@rm -rf dist clients/typescript/dist clients/cli/dist
