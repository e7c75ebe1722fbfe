#!/usr/bin/env bash
# The one entrance to the Java client: dev.sh toolchain | generate DIR | build | check | format | test | driver | example
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
tools="$root/.tools/java"
target="$here/target"
PATH="$root/node_modules/.bin:$PATH:/usr/bin"

# Everything of Maven goes to standard error; the driver's standard output is a protocol.
maven() {
  nice -n 10 mvn -B -q -Dstyle.color=never -f "$here/pom.xml" "$@" >&2
}

platform() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo linux-x86_64 ;;
    Linux-aarch64) echo linux-aarch_64 ;;
    Darwin-x86_64) echo osx-x86_64 ;;
    Darwin-arm64) echo osx-aarch_64 ;;
    *) return 1 ;;
  esac
}

toolchain() {
  command -v javac > /dev/null || { echo "a JDK of Java 17 or newer (javac is not on the PATH)"; return 1; }
  local version
  version="$(javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')"
  [ "${version:-0}" -ge 17 ] || { echo "a JDK of Java 17 or newer (javac is of $version)"; return 1; }
  command -v mvn > /dev/null || { echo "Maven 3.8 or newer (mvn is not on the PATH)"; return 1; }
  command -v buf > /dev/null || { echo "buf in node_modules (npm ci installs it)"; return 1; }
  platform > /dev/null || { echo "code generators for $(uname -s) on $(uname -m)"; return 1; }
}

# The marker names what is installed, so that another version in pom.xml installs again.
generators() {
  local versions marker
  versions="$(sed -n 's/.*<\(grpc\|protobuf\).version>\(.*\)<.*/\1-\2/p' "$here/pom.xml" | tr '\n' '_')"
  marker="$tools/${versions}$(platform)"
  [ -e "$marker" ] && return
  rm -rf "$tools"
  mkdir -p "$tools"
  maven dependency:copy@generators -Dtools.directory="$tools" -Dtools.platform="$(platform)"
  chmod +x "$tools/protoc" "$tools/protoc-gen-grpc-java"
  touch "$marker"
}

generate() {
  local directory
  directory="$(cd "${1:?generate needs a directory}" && pwd)"
  generators
  (cd "$root" && buf generate --template clients/java/buf.gen.yaml --output "$directory" >&2)
}

# Whether anything named is newer than the marker.
stale() {
  local marker="$1"
  shift
  [ ! -e "$marker" ] || [ -n "$(find "$@" -newer "$marker" -print -quit)" ]
}

stubs() {
  stale "$target/.generated" "$root/proto" "$here/buf.gen.yaml" "$here/pom.xml" || return 0
  rm -rf "$target/generated"
  mkdir -p "$target"
  generate "$root"
  touch "$target/.generated"
}

build() {
  stubs
  stale "$target/.built" "$here/src" "$here/pom.xml" "$target/.generated" || return 0
  # Taken before, so that what is saved meanwhile is compiled next time.
  touch "$target/.building"
  maven test-compile
  mv "$target/.building" "$target/.built"
}

classpath() {
  echo "$target/test-classes:$target/classes:$(cat "$target/classpath")"
}

# Our own sources alone, against the compiled stubs, which are not free of warnings.
lint() {
  local scratch
  scratch="$(mktemp -d)"
  find "$here/src" -name '*.java' > "$scratch/sources"
  local status=0
  nice -n 10 javac -Xlint:all,-processing,-classfile -Werror -Xmaxwarns 1000 --release 17 -proc:none -implicit:none -d "$scratch" -cp "$(classpath)" \
    "@$scratch/sources" >&2 || status=$?
  rm -rf "$scratch"
  return "$status"
}

# Short runs: the first compiler alone starts faster, and the driver mostly waits.
run() {
  exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -cp "$(classpath)" "$@"
}

verb="${1:-}"
[ $# -eq 0 ] || shift
case "$verb" in
  toolchain) toolchain ;;
  generate) generate "$@" ;;
  build) build ;;
  check)
    build
    lint
    maven spotless:check
    ;;
  format) maven spotless:apply ;;
  test)
    build
    # Not quiet: it says how many tests ran.
    nice -n 10 mvn -B -Dstyle.color=never -f "$here/pom.xml" surefire:test >&2
    ;;
  driver)
    build
    run dev.safefile.conformance.Driver
    ;;
  example)
    build
    run dev.safefile.example.Example
    ;;
  *)
    echo "usage: dev.sh toolchain | generate DIR | build | check | format | test | driver | example" >&2
    exit 2
    ;;
esac
