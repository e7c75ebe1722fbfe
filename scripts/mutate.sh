#!/usr/bin/env bash
# Changes the compiled journal and commit in thousands of small ways, one at a time, and runs the fast tests that cover them:
# a change that no test notices is a missing test.
#
#   scripts/mutate.sh [files below dist/services]     all of journal/ and commit/, or these: journal/frame.js, journal/reader.js:10-20
#
# Works on a copy of what is compiled, so the working dist stays whole. What the compiler puts before the code itself, and the
# texts of messages, are left alone. The reports are .tools/mutation/<folder>/report.html.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
tools=$(scripts/tool.sh @stryker-mutator/core@10.1.1)
export REDIS_SERVER_BIN=${REDIS_SERVER_BIN:-$(scripts/ensure-redis.sh)}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r dist package.json "$work/"
ln -s "$root/node_modules" "$work/node_modules"
ln -s "$root/scripts" "$work/scripts"

if [ "$#" -gt 0 ]; then files=("${@/#/dist/services/}"); else files=(dist/services/{journal,commit}/*.js); fi
cd "$work"
# One folder after the other, so that each mutant meets the tests of its own.
for folder in $(dirname "${files[@]}" | sort -u); do
  mapfile -t some < <(printf '%s\n' "${files[@]}" | grep "^$folder/[^/]*$")
  WORK=$work REPORT=$root/.tools/mutation/$(basename "$folder") node "$root/scripts/mutate.mjs" "${some[@]}" >stryker.conf.json
  "$tools/stryker" run stryker.conf.json
done
