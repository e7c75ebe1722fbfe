#!/bin/sh
# Generates code from proto/ into services/gen and the clients (see buf.gen.yaml). The result is committed.
# With a directory as argument, writes there instead of into the tree: check-protos.sh compares that.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"

buf generate --output "${1:-.}"
