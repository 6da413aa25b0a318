# Background jobs that write to one pipe, a long pipeline, and what a shell knows of its children.
{
  for i in 1 2 3 4; do
    (for j in 1 2 3; do echo "job $i line $j of $BASHPID"; done) &
  done
  wait
} | while read -r line; do echo "$line"; done
seq 1 500 | sort -r | while read -r number; do echo "$number"; done | md5sum
for i in 1 2 3; do (echo "$i"; exit "$i") & done
while wait -n; status=$?; [ "$status" != 127 ]; do echo "ended with $status"; done
echo "$$ $PPID $! $(date +%s.%N) $RANDOM"
