#!/bin/sh
# Runs one guest test: `run.sh native PROGRAM`, or `run.sh machine PROGRAM ORRERY`: recorded, then replayed twice,
# once compared by the replay itself and once by the output it shows.
set -u
mode=$1 program=$2
directory=$(mktemp -d "${TMPDIR:-/tmp}/orrery-guest.XXXXXX") || exit 2
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 2

fail() {
  echo "$1" >&2
  [ ! -s out ] || sed 's/^/  stdout: /' out >&2
  [ ! -s err ] || sed 's/^/  stderr: /' err >&2
  exit 1
}

if [ "$mode" = native ]; then
  "$program" >out 2>err </dev/null || fail "native: exit status $?"
  exit 0
fi

orrery=$3
"$orrery" record -o "$directory/recording" -- "$program" >out 2>err </dev/null || fail "record: exit status $?"
"$orrery" replay "$directory/recording" --check >check 2>&1 || {
  status=$?
  sed 's/^/  replay: /' check >&2
  fail "replay --check: exit status $status"
}
"$orrery" replay "$directory/recording" -a >again 2>again.err
cmp -s out again || {
  diff out again | head -20 >&2
  fail "replay -a shows another output"
}
