#!/bin/sh
# Copies the few google/rpc files that the API imports into third_party/googleapis, with their licence.
# They are committed, so a clone builds without this; run it only to take a newer version.
#
# The source is the npm package google-gax, which carries googleapis. `npm pack` fetches that one tarball,
# checked against the registry's digest, without its dependencies.
set -eu
cd "$(dirname "$0")/.."

package="google-gax@6.17.0"
target="third_party/googleapis"
files="google/rpc/code.proto google/rpc/error_details.proto google/rpc/status.proto"

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

npm pack --silent --pack-destination "$scratch" "$package" > /dev/null
tar -xzf "$scratch"/google-gax-*.tgz -C "$scratch"

protos="$(find "$scratch/package" -type f -path '*/google/rpc/status.proto' | sort | head -n 1)"
protos="${protos%/google/rpc/status.proto}"
[ -n "$protos" ] || { echo "vendor-protos: $package holds no google/rpc/status.proto" >&2; exit 1; }

rm -rf "$target"
for file in $files; do
  mkdir -p "$target/$(dirname "$file")"
  cp "$protos/$file" "$target/$file"
done
cp "$scratch/package/LICENSE" "$target/LICENSE"
{
  echo "# googleapis"
  echo
  echo "The google/rpc files that the API imports, unchanged, Apache-2.0 (see LICENSE)."
  echo "Copied from the npm package $package by scripts/vendor-protos.sh. Do not edit."
} > "$target/README.md"
chmod -R u=rwX,go=rX "$target"
echo "vendor-protos: $target is $package"
