#!/bin/sh
# Runs the whole suite where little is as usual: a folder with a space and an umlaut, a user who is
# not root, a home that cannot be written, no locale, another hash seed, every warning an error.
# Usage: tests/hostile.sh PYTHON [pytest's options]; PYTHON is of an environment with '.[test]'.
set -eu
python=$(realpath -s "$1")
shift
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
checkout="$place/größer als hier"
git clone -q "$(dirname "$0")/.." "$checkout"
mkdir "$place/home" "$place/tmp" "$place/cache"
as=""
if [ "$(id -u)" = 0 ]; then
    chown -R 65534:65534 "$place"
    as="setpriv --reuid=65534 --regid=65534 --clear-groups"
fi
chmod a+rx "$place"
chmod a-w "$place/home"
cd "$checkout"
env -u LANGUAGE HOME="$place/home" TMPDIR="$place/tmp" SALAMANDRE_CACHE="$place/cache" \
    LANG=C LC_ALL=C PYTHONHASHSEED=random PYTHONPATH="$checkout" PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR="$place/cache" \
    $as "$python" -W error -m pytest -p no:cacheprovider "$@"
