#!/bin/sh
# Runs one guest test: `run.sh native STATUS PROGRAM`, or `run.sh machine STATUS PROGRAM ORRERY`: recorded, then
# replayed twice, once compared by the replay itself and once by the output it shows.
set -u
mode=$1 wanted=$2 program=$3
directory=$(mktemp -d "${TMPDIR:-/tmp}/orrery-guest.XXXXXX") || exit 2
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 2
ulimit -c 0

fail() {
  echo "$1" >&2
  [ ! -s out ] || sed 's/^/  stdout: /' out >&2
  [ ! -s err ] || sed 's/^/  stderr: /' err >&2
  exit 1
}

if [ "$mode" = native ]; then
  "$program" >out 2>err </dev/null
  status=$?
  [ "$status" = "$wanted" ] || fail "native: exit status $status, wanted $wanted"
  exit 0
fi

orrery=$4
"$orrery" record -o "$directory/recording" -- "$program" >out 2>err </dev/null
status=$?
[ "$status" = "$wanted" ] || fail "record: exit status $status, wanted $wanted"
"$orrery" replay --check "$directory/recording" >check 2>&1 || {
  status=$?
  sed 's/^/  replay: /' check >&2
  fail "replay --check: exit status $status"
}
"$orrery" replay -a "$directory/recording" >again 2>again.err
cmp -s out again || {
  diff out again | head -20 >&2
  fail "replay -a shows another output"
}
