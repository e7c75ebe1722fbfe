#!/usr/bin/env bash
# The one entrance to the Go client. Works from any directory.
#
#   dev.sh toolchain      says whether this machine can build it
#   dev.sh generate DIR   generates the stubs into DIR, the repository's root or an empty directory
#   dev.sh build          builds library, driver and example
#   dev.sh check          gofmt and go vet
#   dev.sh test           the client's own tests; no server needed
#   dev.sh driver         runs the driver of the conformance suite
#   dev.sh example        runs the sample program
set -euo pipefail
readonly here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly repository="$(cd "$here/../.." && pwd)"
readonly tools="$repository/.tools/go"

readonly protoc_gen_go=v1.36.12
readonly protoc_gen_go_grpc=v1.6.2
# As go.mod says.
readonly go_minor_min=26

# The toolchain that is there, never one that go would download.
export GOTOOLCHAIN=local
PATH="$PATH:/usr/local/go/bin:$HOME/go/bin"

# Prints what is missing and fails, or nothing.
toolchain() {
  local version
  if ! version=$(go env GOVERSION 2>/dev/null); then
    echo "Go is missing: install Go 1.$go_minor_min or newer (https://go.dev/dl)"
    return 1
  fi
  if ! [[ $version =~ ^go1\.([0-9]+) ]] || ((BASH_REMATCH[1] < go_minor_min)); then
    echo "Go 1.$go_minor_min or newer is needed, this is $version"
    return 1
  fi
}

# Installs the plugins of buf once for each pair of versions.
plugins() {
  local marker="$tools/plugins-$protoc_gen_go-$protoc_gen_go_grpc"
  [[ -e $marker ]] && return
  mkdir -p "$tools"
  # Outside of any module, so that the versions are those above and not what some go.mod says.
  (
    cd "$tools"
    export GOBIN="$tools/bin" GOFLAGS=
    go install "google.golang.org/protobuf/cmd/protoc-gen-go@$protoc_gen_go"
    go install "google.golang.org/grpc/cmd/protoc-gen-go-grpc@$protoc_gen_go_grpc"
  ) >&2
  touch "$marker"
}

generate() {
  local target
  mkdir -p "$1"
  target=$(cd "$1" && pwd)
  plugins
  cd "$repository"
  PATH="$repository/node_modules/.bin:$PATH" buf generate --template clients/go/buf.gen.yaml --output "$target"
}

build() {
  cd "$here"
  mkdir -p bin
  # Both programs at once, and with them all packages. Not ./..., which links every time and throws away.
  go build -p 2 -o bin/ ./internal/conformance ./example >&2
}

check() {
  local unformatted
  cd "$here"
  unformatted=$(gofmt -l .)
  if [[ -n $unformatted ]]; then
    echo "gofmt would change: $unformatted" >&2
    return 1
  fi
  go vet -p 2 ./...
}

case "${1:-}" in
  toolchain) toolchain ;;
  generate) generate "${2:?generate needs a directory}" ;;
  build) build ;;
  check) check ;;
  test) cd "$here" && go test -p 2 ./... ;;
  driver)
    [[ -x $here/bin/conformance ]] || build
    exec "$here/bin/conformance"
    ;;
  example)
    [[ -x $here/bin/example ]] || build
    exec "$here/bin/example"
    ;;
  *)
    sed -n 's/^# \{0,1\}//; 2,11p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
