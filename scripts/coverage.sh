#!/usr/bin/env bash
# Runs the fast suites and says which branches of the journal, the commit and the recovery they did not take:
#
#   scripts/coverage.sh [words]      of those folders, or only the test files whose path holds one of the words
#
# Fails when a branch is left. A process that is killed with SIGKILL writes no coverage, so what only happens in one that is
# killed has to be shown in the test's own process as well: test/regress/core.ts, test/recover/world.ts and test/sim do.
# The counts are of files as compiled, mapped back to the sources; an html report is left in .tools/coverage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

c8=$(scripts/tool.sh c8@12.0.0)/c8
counts=$(mktemp -d)
trap 'rm -rf "$counts"' EXIT

suites=("$@")
[ "$#" -gt 0 ] || suites=(test/journal test/commit test/recover test/regress test/index test/verify test/execute test/watch test/sim test/protocol)

export SAFEFILE_TEST_SEEDS=${SAFEFILE_TEST_SEEDS:-150} SAFEFILE_TEST_INTERLEAVINGS=${SAFEFILE_TEST_INTERLEAVINGS:-30}
NODE_V8_COVERAGE=$counts node scripts/test.mjs "${suites[@]}"

failed=0
"$c8" report --temp-directory "$counts" --reports-dir .tools/coverage --reporter text --reporter html --reporter json \
  --include 'services/{journal,commit,recover}/**' --include 'dist/services/{journal,commit,recover}/**' \
  --check-coverage --per-file --branches 100 --lines 0 --functions 0 --statements 0 || failed=1
node scripts/uncovered.mjs .tools/coverage/coverage-final.json
exit "$failed"
