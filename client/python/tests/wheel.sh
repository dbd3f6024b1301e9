#!/bin/sh
# wheel.sh PYTHON BUILD SOURCE: makes the wheel, installs it without a network into a folder of its own, and uses it there.
set -eu
python=$1
build=$2
source=$3
"$python" -c 'import setuptools, wheel, pip' 2>/dev/null || {
    echo "skipped: setuptools, wheel or pip is not installed"
    exit 77
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -r "$source" "$folder/source"
cd "$folder"
HEAPD_BUILD=$build "$python" -m pip wheel --quiet --no-index --no-deps --no-build-isolation --no-cache-dir \
    --wheel-dir "$folder" "$folder/source"
wheel=$(ls "$folder"/heapd-*-cp311-abi3-*.whl)
"$python" -m pip install --quiet --no-index --no-deps --no-cache-dir --root-user-action=ignore \
    --target "$folder/site" "$wheel"
unset HEAPD_DAEMON
PYTHONPATH=$folder/site "$python" -c '
import heapd
assert heapd.find_daemon().startswith(heapd.__path__[0]), heapd.find_daemon()
with heapd.start() as h:
    h["a"] = [1, {"b": 2}]
    assert h["a"][1]["b"] == 2
print("wheel works:", heapd.__version__)
'
