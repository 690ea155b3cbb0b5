#!/bin/sh
# Render the stored outputs into _build/html; every warning is an error.
#
# Sphinx does not warn again of a page that it does not read again. So a build that did not end well leaves nothing
# behind, whether it failed or was killed, and a change of what makes the pages starts from an empty folder.
set -eu
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1

makers=$(find book/_ext book/_static book/_templates tools/book.sh _config.yml requirements-book.txt constraints.txt -type f ! -name '*.pyc' |
    LC_ALL=C sort | xargs cksum | cksum)
if [ "$(cat _build/.complete 2>/dev/null)" != "$makers" ]; then
    rm -rf _build
fi
rm -f _build/.complete
if ! said=$(.venv/bin/jupyter-book build . -W -n --keep-going --quiet); then
    rm -rf _build
    echo "$said"
    echo "The book was not built: see the warnings above." >&2
    exit 1
fi
echo "$makers" >_build/.complete
echo "The site is ready: $(pwd)/_build/html/index.html"
