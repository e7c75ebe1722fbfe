#!/bin/sh
# Generates code from proto/ into services/gen and the clients (buf.gen.yaml, clients/*/buf.gen.yaml). The result is committed.
# With a directory as argument, writes there instead of into the tree: check-protos.sh compares that.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"

# Generators change their directory.
mkdir -p "${1:-.}"
into="$(cd "${1:-.}" && pwd)"
buf generate --output "$into"
for language in go python java rust; do
  # Java's is made when it is built, and not committed.
  if [ "$language" = java ] && [ $# -gt 0 ]; then continue; fi
  if missing="$("clients/$language/dev.sh" toolchain)"; then
    "clients/$language/dev.sh" generate "$into"
  else
    echo "*** No stubs are generated for $language: $missing." >&2
  fi
done
if [ $# -eq 0 ]; then node scripts/clients-readme.mjs; fi
