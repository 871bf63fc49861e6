#!/bin/sh
# Makes .venv with everything that requirements.lock pins, and the project itself; a second time it only looks.
# PYTHON=… names the interpreter; else the newest of python3.14 … python3.11 is taken.
# What the machine lacks is installed when run as root; otherwise the one command to type is named.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
modules='import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))'

fail() {
    echo "setup: $1" >&2
    exit 1
}

# install PACKAGE…: as root installs them; otherwise says what to type.
install() {
    command -v apt-get >/dev/null || fail "$* missing; install it with this machine's package manager"
    [ "$(id -u)" = 0 ] || fail "$* missing; type: sudo apt-get install -y $*"
    echo "Installing $* ..."
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -qq -y "$@" >/dev/null 2>&1 || {
        apt-get update -qq && apt-get install -qq -y "$@" >/dev/null
    } || fail "$* cannot be installed; type: apt-get install $*"
}

find_python() {
    for name in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        path=$(command -v "$name") || continue
        "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        echo "$path"
        return
    done
}

choose_python() {
    python=$(find_python)
    if [ -z "$python" ]; then
        [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not a Python >= 3.11"
        install python3 python3-venv
        python=$(find_python)
        [ -n "$python" ] || fail "this machine has no Python >= 3.11; install one and type: make setup PYTHON=/path/to/it"
    fi
    "$python" -c "$modules" 2>/dev/null && return
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    install "python$version-venv"
    "$python" -c "$modules" 2>/dev/null || fail "$python cannot make virtual environments; choose another: make setup PYTHON=…"
}

# The stamp: what was installed, from where, by which interpreter. A moved checkout or a new lock changes it.
stamp() {
    cat requirements.lock pyproject.toml sandbox/bootstrap.sh | sha256sum | cut -c1-16
    pwd
    "$venv/bin/python" -c 'import sys; print(sys.version)' 2>/dev/null || echo broken
    [ -z "${PYTHON:-}" ] || "$PYTHON" -c 'import sys; print(sys.version)'
}

usable() {
    "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 1
    [ -z "${PYTHON:-}" ] || [ "$("$venv/bin/python" -V)" = "$("$PYTHON" -V)" ]
}

[ -f "$venv/.installed" ] && [ "$(cat "$venv/.installed")" = "$(stamp)" ] && exit 0

mkdir -p .sandbox
exec 9>.sandbox/setup.lock
flock 9  # another `make` in this checkout may be at it
[ -f "$venv/.installed" ] && [ "$(cat "$venv/.installed")" = "$(stamp)" ] && exit 0

if ! usable; then
    choose_python
    echo "Making $venv with $("$python" -V) ..."
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
rm -f "$venv/.installed"
echo "Installing the packages that requirements.lock pins (the first time about a minute) ..."
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
export PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_INPUT
"$venv/bin/python" -m pip install -qq --require-hashes -r requirements.lock ||
    fail "the packages could not be installed (above says why); then type: make setup"
"$venv/bin/python" -m pip install -qq --no-deps --no-build-isolation --editable . ||
    fail "the project could not be installed into $venv"
stamp >"$venv/.installed.new"
mv "$venv/.installed.new" "$venv/.installed"
