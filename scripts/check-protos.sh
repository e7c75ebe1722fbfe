#!/bin/sh
# Checks the protos and the code generated from them. Runs every check, says which failed, needs no network.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH="$PWD/node_modules/.bin:$PATH"

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
failed=0
fail() {
  echo "check-protos: $1" >&2
  failed=1
}

buf lint || fail "lint: the protos break a rule of buf.yaml (above)."

buf format proto --diff --exit-code || fail "format: run 'buf format -w proto' and commit the result."

if buf breaking proto --against proto/implemented.binpb; then
  scripts/proto-baseline.sh --check || fail "breaking: the baseline is not current (above)."
else
  fail "breaking: a client of an implemented RPC would break (above). Add instead of changing."
fi

if scripts/generate.sh "$scratch"; then
  # What is not committed is made when it is built; what could not be made here, for want of a toolchain, was said.
  for out in $(sed -n 's/^ *\(- \)\{0,1\}out: *//p' buf.gen.yaml clients/*/buf.gen.yaml | sort -u); do
    [ -n "$(git ls-files "$out" | head -n 1)" ] && [ -d "$scratch/$out" ] || continue
    diff -r -u -x __pycache__ "$out" "$scratch/$out" > "$scratch/difference" 2>&1 && continue
    head -n 40 "$scratch/difference" >&2
    fail "drift: $out is not what the protos generate. Run scripts/generate.sh (make generate) and commit the result."
  done
else
  fail "drift: generation failed (above)."
fi

node scripts/clients-readme.mjs --check || fail "examples: clients/README.md is not current (above)."

exit "$failed"
