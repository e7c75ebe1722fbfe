#!/usr/bin/env bash
# The one entrance to the Rust client for scripts: dev.sh VERB. Works from any directory; what installs and builds say
# goes to stderr.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
repository="$(cd "$here/../.." && pwd)"
tools="$repository/.tools/rust"
# The generators of the prost 0.14 and tonic 0.14 that the crate is built with.
plugins_version=0.5.0
export PATH="$PATH:$HOME/.cargo/bin"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
jobs="${CARGO_BUILD_JOBS:-2}"
profile="$here/target/debug"

# The dependencies are fetched once; afterwards nothing asks the network.
offline() {
  if cargo metadata --locked --offline --format-version 1 > /dev/null 2>&1; then
    export CARGO_NET_OFFLINE=true
  fi
}

install_plugins() {
  local marker="$tools/plugins-$plugins_version"
  if [[ -e "$marker" ]]; then return; fi
  local plugin
  for plugin in protoc-gen-prost protoc-gen-tonic; do
    CARGO_TARGET_DIR="$tools/plugins-target" \
      cargo install --locked --jobs "$jobs" --version "$plugins_version" --root "$tools" "$plugin" >&2
  done
  rm -rf "$tools/plugins-target"
  touch "$marker"
}

build() {
  offline
  cargo build --locked --jobs "$jobs" --workspace --bins --examples >&2
}

cd "$here"
case "${1:-}" in
  toolchain)
    if ! command -v cargo > /dev/null; then
      echo "cargo is missing: install Rust 1.88 or newer"
      exit 1
    fi
    wanted="$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)"
    found="$(cargo --version | cut -d' ' -f2)"
    if [[ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]]; then
      echo "Rust $found is too old: $wanted or newer is needed"
      exit 1
    fi
    if ! command -v cc > /dev/null; then
      echo "cc is missing: Rust needs a C compiler to link"
      exit 1
    fi
    ;;
  generate)
    mkdir -p "${2:?generate needs a directory}"
    output="$(cd "$2" && pwd)"
    install_plugins
    cd "$repository"
    export PATH="$tools/bin:$repository/node_modules/.bin:$PATH"
    buf generate --template clients/rust/buf.gen.yaml --output "$output"
    # For the driver, which renders messages as JSON by their descriptors.
    buf build --as-file-descriptor-set --exclude-source-info \
      --output "$output/clients/rust/conformance/src/gen/descriptors.binpb"
    ;;
  build) build ;;
  check)
    offline
    cargo fmt --all --check
    cargo clippy --locked --jobs "$jobs" --workspace --all-targets -- -D warnings
    ;;
  test)
    offline
    # All members, so that the dependencies are those of `build`.
    cargo test --locked --jobs "$jobs" --workspace --lib
    ;;
  driver)
    [[ -x "$profile/safefile-conformance" ]] || build
    exec "$profile/safefile-conformance"
    ;;
  example)
    [[ -x "$profile/examples/tour" ]] || build
    exec "$profile/examples/tour"
    ;;
  *)
    echo "usage: dev.sh toolchain | generate DIR | build | check | test | driver | example" >&2
    exit 2
    ;;
esac
