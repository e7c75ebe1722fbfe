#!/bin/sh
# Builds proto/implemented.binpb: the parts of the API that proto/implemented.txt lists, and what they need.
# What is in it may no longer break; what is not may still change. Run it after adding to the list or to what
# is listed.
#
#   scripts/proto-baseline.sh            builds it, and refuses when that would drop or break anything in it
#   scripts/proto-baseline.sh --accept   builds it all the same: a deliberate break, with a changelog entry
#   scripts/proto-baseline.sh --check    only says whether the committed one is current
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"

list="proto/implemented.txt"
image="proto/implemented.binpb"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

set -- "${1:-}" $(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' -e 's/^/--type=/' "$list")
mode="$1"
shift
# Without source info, so that a changed comment changes nothing here.
buf build proto "$@" --exclude-source-info --output "$scratch/implemented.binpb"

case "$mode" in
  --check)
    cmp -s "$scratch/implemented.binpb" "$image" && exit 0
    echo "$image is not what $list and the protos say: run scripts/proto-baseline.sh and commit the result." >&2
    exit 1
    ;;
  --accept) ;;
  "")
    if [ -f "$image" ] && ! buf breaking "$scratch/implemented.binpb" --against "$image" \
        --config '{"version":"v2","breaking":{"use":["FILE"]}}'; then
      echo "This would drop or break what is implemented; $image is as it was. If it is meant: --accept." >&2
      exit 1
    fi
    ;;
  *)
    echo "usage: scripts/proto-baseline.sh [--check | --accept]" >&2
    exit 2
    ;;
esac
cp "$scratch/implemented.binpb" "$image"
