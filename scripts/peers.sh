#!/usr/bin/env bash
# Installs what the benchmarks compare with into .tools/peers, and says what is left out and why.
#
# A peer's version and those of all its modules are in bench/peers/NAME/go.mod and go.sum. What could not be built has
# its reason in .tools/peers/NAME.reason, which the benchmarks print instead of its row. Nothing but them needs a peer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly peers=$PWD/.tools/peers

leave_out() {
  rm -f "$peers/$1"
  printf '%s\n' "$2" >"$peers/$1.reason"
  printf '%s is left out: %s\n' "$1" "$2"
}

# Builds the program $2 of the modules in bench/peers/$1.
build() {
  local name=$1 program=$2 binary=$peers/$1 log=$peers/$1.log
  if ! [ "$binary" -nt "bench/peers/$name/go.sum" ]; then
    if ! command -v go >/dev/null; then
      leave_out "$name" "there is no Go to build it with"
      return
    fi
    printf 'building %s, which takes minutes\n' "$name"
    # Without C, as both projects release theirs.
    if ! (cd "bench/peers/$name" && CGO_ENABLED=0 go build -trimpath -o "$binary" "$program") >"$log" 2>&1; then
      leave_out "$name" "go build: $(tail -n 1 "$log")"
      return
    fi
  fi
  rm -f "$peers/$name.reason" "$log"
  printf '%s\n' "$binary"
}

mkdir -p "$peers"
if tool=$(scripts/tool.sh write-file-atomic@8.0.0); then
  ln -sfn "${tool%/.bin}/write-file-atomic" "$peers/write-file-atomic"
  printf '%s\n' "$peers/write-file-atomic"
else
  leave_out write-file-atomic "npm could not install it"
fi
build minio github.com/minio/minio
build restic github.com/restic/restic/cmd/restic
# Refused were its list of versions, the newest, a tagged one and one named by its commit; without one, nothing is pinned.
leave_out seaweedfs "the Go module proxy served none of its versions (403) when the peers were pinned"
