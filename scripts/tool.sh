#!/usr/bin/env bash
# Installs a development tool from npm beside the project and prints the directory of its commands:
#
#   scripts/tool.sh c8@12.0.0 [more packages]
#
# For tools that only single make targets need: they stay out of package.json, so that `npm ci` stays small.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=${1//[^a-zA-Z0-9.-]/_}
directory=$PWD/.tools/$name
if [ ! -e "$directory/.complete" ]; then
  mkdir -p "$directory"
  echo '{ "private": true }' >"$directory/package.json"
  npm install --prefix "$directory" --no-audit --no-fund --loglevel=error --save-exact "$@" >&2
  touch "$directory/.complete"
fi
printf '%s\n' "$directory/node_modules/.bin"
