#!/bin/sh
# Make the environment .venv ready, once; later calls see its stamp and return at once.
#
#   sh tools/setup.sh book      what rendering the stored outputs needs
#   sh tools/setup.sh course    everything: torch, JupyterLab, the checks, the package itself
#   sh tools/setup.sh bench     the course environment and the libraries that the benchmarks compare with
#   sh tools/setup.sh lock      write constraints.txt anew, from a fresh environment of the newest versions that fit
#
# PYTHON=... chooses the interpreter that makes the environment.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
export PIP_DISABLE_PIP_VERSION_CHECK=1

# The newest version that the pins are tried with comes first, after the one that the user calls python3.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        candidates=$PYTHON
    else
        candidates="python3 python3.13 python3.12 python3.11 python"
    fi
    for candidate in $candidates; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    found=$(for candidate in $candidates; do "$candidate" --version 2>/dev/null || true; done | sort -u | tr '\n' ' ')
    echo "This needs Python 3.11 or newer; found: ${found:-none} (looked for: $candidates)." >&2
    echo "Install one from https://www.python.org, or name the one you have: make PYTHON=/path/to/python3.12 ..." >&2
    exit 1
}

make_venv() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$python cannot make environments: its module venv is missing." >&2
        echo "On Debian and Ubuntu: apt install python$version-venv. Then call make again." >&2
        exit 1
    fi
    "$python" -m venv --clear "$1"
    pwd >"$1/.made-in"
}

# An environment that was moved, or whose Python is gone, or whose making was interrupted, is made anew.
is_sound() {
    [ "$(cat $venv/.made-in 2>/dev/null || pwd)" = "$(pwd)" ] && $venv/bin/python -c "import pip" 2>/dev/null
}

stamp_of() {
    # Publishing the repository changes only what follows [tool.minigpt]; that needs no new set-up.
    case $1 in
        book) cat requirements-book.txt constraints.txt ;;
        course) sed '/^\[tool\.minigpt\]/,$d' pyproject.toml | cat - requirements-book.txt requirements.txt constraints.txt ;;
        bench) cat requirements-bench.txt constraints.txt ;;
    esac | cksum | tr ' ' '-'
}

install_environment() {
    stamp=$venv/.ready-$1-$(stamp_of "$1")
    # The course environment holds everything that the book's does.
    if [ -e "$stamp" ] || { [ "$1" = book ] && [ -e "$venv/.ready-course-$(stamp_of course)" ]; }; then
        is_sound && return
    fi
    is_sound || make_venv $venv
    rm -f $venv/.ready-*
    if [ "$1" = book ]; then
        echo "Setting up .venv to render the book (once, about a minute) ..."
        $venv/bin/python -m pip install --quiet -r requirements-book.txt
    else
        echo "Setting up .venv for the whole course (once, some minutes: it downloads torch) ..."
        $venv/bin/python -m pip install --quiet -r requirements.txt
        $venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
    fi
    : >"$stamp"
}

install_peers() {
    stamp=$venv/.ready-bench-$(stamp_of bench)
    [ -e "$stamp" ] && return
    echo "Installing the libraries that the benchmarks compare with (once) ..."
    $venv/bin/python -m pip install --quiet -c constraints.txt -r requirements-bench.txt
    : >"$stamp"
}

write_constraints() {
    make_venv .venv-lock
    folder=$(mktemp -d)
    trap 'rm -rf "$folder" .venv-lock' EXIT
    for file in requirements-book.txt requirements.txt; do
        sed '/^-c /d' $file >"$folder/$file"
    done
    .venv-lock/bin/python -m pip install --quiet -r "$folder/requirements.txt"
    .venv-lock/bin/python -m pip check
    {
        echo "# The exact version of every package of the course environment; written by \`make lock\`."
        .venv-lock/bin/python -m pip freeze --all --exclude pip | sed 's/+[a-z0-9]*$//' | LC_ALL=C sort -f
    } >"$folder/constraints.txt"
    mv "$folder/constraints.txt" constraints.txt
}

case ${1:-} in
    book | course) install_environment "$1" ;;
    bench)
        install_environment course
        install_peers
        ;;
    lock) write_constraints ;;
    *)
        echo "usage: sh tools/setup.sh book|course|bench|lock" >&2
        exit 2
        ;;
esac
