#!/usr/bin/env bash
# The one entrance to the Python client: dev.sh toolchain|generate DIR|build|check|test|driver|driver-aio|example
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
tools="$root/.tools/python"
venv="$tools/venv"
python="$venv/bin/python"
verb=${1:-}
shift || true

# A Python that is new enough and can make virtual environments.
base_python() {
  local found
  for found in python3 python3.14 python3.13 python3.12 python3.11 "$HOME"/.pyenv/versions/3.1[1-9]*/bin/python3; do
    if "$found" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$found"
      return
    fi
  done
  return 1
}

# Installs what requirements.txt pins, once; the copy of the list is written last and so vouches for the rest.
ready() {
  if cmp -s "$here/requirements.txt" "$tools/installed.txt" && [ -x "$python" ]; then return; fi
  mkdir -p "$tools"
  (
    flock 9
    if cmp -s "$here/requirements.txt" "$tools/installed.txt" && [ -x "$python" ]; then exit; fi
    rm -rf "$venv" "$tools/installed.txt"
    "$(base_python)" -m venv "$venv"
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$tools/installed.txt"
  ) 9>"$tools/lock" >&2
}

# The package is run from where it is written.
run() {
  cd "$here"
  PYTHONPATH="$here" exec "$python" "$@"
}

case "$verb" in
  toolchain)
    base_python >/dev/null || { echo "Python 3.11 or newer with the modules venv and ensurepip"; exit 1; }
    ;;
  generate)
    ready
    cd "$root"
    PATH="$root/node_modules/.bin:$PATH" buf generate --template clients/python/buf.gen.yaml --output "${1:?a directory}"
    ;;
  build)
    ready
    "$python" -m compileall -q "$here/safefile" "$here/driver" "$here/example"
    ;;
  check)
    ready
    cd "$here"
    "$python" -m ruff format --check .
    "$python" -m ruff check .
    run -m mypy
    ;;
  test)
    ready
    run -m pytest "$@"
    ;;
  driver)
    ready
    run -m driver
    ;;
  driver-aio)
    ready
    run -m driver.aio
    ;;
  example)
    ready
    run example/example.py "$@"
    ;;
  *)
    echo "usage: dev.sh toolchain | generate DIR | build | check | test | driver | driver-aio | example" >&2
    exit 2
    ;;
esac
