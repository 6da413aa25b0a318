#!/bin/sh
# Runs one guest test in one way:
#   run.sh native STATUS PROGRAM              on the real kernel
#   run.sh machine STATUS PROGRAM ORRERY      on the machine without recording; prints what it prints natively
#   run.sh recorded STATUS PROGRAM ORRERY     the same recorded, and replayed twice: once compared by the
#                                             replay itself and once by the output it shows
#   run.sh seeded STATUS PROGRAM ORRERY       the same with --seed
set -u
mode=$1 wanted=$2 program=$3
directory=$(mktemp -d "${TMPDIR:-/tmp}/orrery-guest.XXXXXX") || exit 2
trap 'chmod -R u+rwx "$directory"; rm -rf "$directory"' EXIT
cd "$directory" || exit 2
ulimit -c 0

fail() {
  echo "$1" >&2
  [ ! -s out ] || sed 's/^/  stdout: /' out >&2
  [ ! -s err ] || sed 's/^/  stderr: /' err >&2
  exit 1
}

# run NAME COMMAND...: in a folder of its own, with the wanted status.
run() {
  name=$1
  shift
  mkdir "$name" && cd "$name" || exit 2
  "$@" >../out 2>../err </dev/null
  status=$?
  cd ..
  # 69: cannot start. With a CPU profile named in the environment: the host does not reach it.
  [ "$status" != 69 ] || [ -z "${ORRERY_RECORD_CPU:-}" ] || exit 77
  [ "$status" = "$wanted" ] || fail "$name: exit status $status, wanted $wanted"
}

# same NAME FILE: the output of the run before is that of FILE.
same() {
  cmp -s "$2" out && return
  diff "$2" out | head -20 >&2
  fail "$1 shows another output"
}

# What the processors of others do otherwise is not compared with what the machine does.
[ "$mode" = native ] || [ -z "${ORRERY_INTEL_ONLY:-}" ] || grep -q GenuineIntel /proc/cpuinfo || exit 77

run native "$program"
[ "$mode" != native ] || exit 0
mv out native.out

orrery=$4
if [ "$mode" = machine ]; then
  run machine "$orrery" run -- "$program"
  same machine native.out
  exit 0
fi

seed=
[ "$mode" != seeded ] || seed='--seed 7'
# shellcheck disable=SC2086  # no seed is no word
run record "$orrery" record $seed -o "$directory/recording" -- "$program"
same record native.out
"$orrery" replay --check "$directory/recording" >check 2>&1 || {
  status=$?
  sed 's/^/  replay: /' check >&2
  fail "replay --check: exit status $status"
}
"$orrery" replay -a "$directory/recording" >out 2>err
same 'replay -a' native.out
