#!/usr/bin/env bash
# Prints the path of the etcd that the benchmarks are measured against, building it first; nothing where there is no Go.
#
# Its version and those of all its modules are in bench/etcd/go.mod and go.sum. Nothing but the benchmarks needs it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly binary=$PWD/.tools/etcd

if ! [ "$binary" -nt bench/etcd/go.sum ]; then
  if ! command -v go >/dev/null; then
    echo "No Go, so no etcd to compare with." >&2
    exit 0
  fi
  mkdir -p .tools
  (cd bench/etcd && go build -o "$binary" go.etcd.io/etcd/server/v3) >&2
fi
printf '%s\n' "$binary"
