#!/usr/bin/env bash
# Prints the path of a redis-server that starts, and nothing else, on stdout.
#
# Looked for in this order: $REDIS_SERVER_BIN, redis-server on PATH, .tools/redis-server, redis-check-rdb on PATH.
# The last is the same binary: it starts a server when it is called redis-server, so Debian's redis-tools is enough
# and no service is installed that would start by itself. Where nothing is found, redis-tools is installed with apt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# SET with PXAT came with 6.2.
readonly major_min=6 minor_min=2
readonly link="$PWD/.tools/redis-server"

say() { printf '%s\n' "$*" >&2; }

# Prints the version of the server at $1; fails when it does not start or is too old.
version() {
  local words found
  words=$("$1" --version 2>/dev/null </dev/null) || return 1
  [[ $words =~ v=([0-9]+)\.([0-9]+)([0-9.]*) ]] || return 1
  found=${BASH_REMATCH[1]}
  ((found > major_min || found == major_min && BASH_REMATCH[2] >= minor_min)) || return 1
  printf '%s.%s%s\n' "$found" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}"
}

accept() {
  version "$1" >/dev/null || return 1
  printf '%s\n' "$1"
  exit 0
}

link_from_tools() {
  local twin
  twin=$(command -v redis-check-rdb) || return 1
  mkdir -p "${link%/*}"
  ln -sfn "$(readlink -f "$twin")" "$link"
}

install_with_apt() {
  command -v apt-get >/dev/null || return 1
  local as_root=()
  if (("$(id -u)" != 0)); then
    command -v sudo >/dev/null || return 1
    # Without a terminal nobody can type a password, and asking would hang.
    if sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    elif [[ -t 0 && -t 2 ]]; then
      as_root=(sudo)
    else
      return 1
    fi
  fi
  say "No redis-server found: installing redis-tools with apt-get."
  local options=(-o DPkg::Lock::Timeout=120 -o Acquire::Retries=3)
  # A mirror that is only partly reachable fails the update and may still serve the package.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" -qq update </dev/null >&2 || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" -qq install -y --no-install-recommends \
    redis-tools </dev/null >&2
}

if [[ -n ${REDIS_SERVER_BIN:-} ]]; then
  accept "$REDIS_SERVER_BIN" || true
  say "REDIS_SERVER_BIN is $REDIS_SERVER_BIN, which is not a redis-server of version $major_min.$minor_min or newer that starts."
  exit 1
fi
if found=$(command -v redis-server); then accept "$found" || true; fi
if [[ -x $link ]]; then accept "$link" || true; fi
if link_from_tools; then accept "$link" || true; fi
if install_with_apt && link_from_tools; then accept "$link" || true; fi

say "Safefile needs redis-server $major_min.$minor_min or newer and could not find or install one. Install it (Debian, Ubuntu:" \
  "'apt-get install redis-tools'; Fedora: 'dnf install redis'; Alpine: 'apk add redis'; macOS: 'brew install redis')" \
  "or set REDIS_SERVER_BIN to its path."
exit 1
