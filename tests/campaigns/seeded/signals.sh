# Signals between processes, ends by signals, stops, times, locks of files.
trap 'echo got USR1' USR1
trap 'echo bye' EXIT
for i in 1 2 3; do (sleep "0.$i"; kill -USR1 $$; echo "sent $i") & done
while [ "$(jobs -r | wc -l)" -gt 0 ]; do wait -n; done
sleep 100 & child=$!; sleep 1; kill "$child"; wait "$child"; echo "status $?"
sleep 100 & child=$!; kill -KILL "$child"; wait "$child"; echo "status $?"
(kill -STOP "$BASHPID"; echo continued) & child=$!
sleep 0.1; kill -CONT "$child"; wait "$child"; echo "status $?"
timeout 0.05 sh -c 'while :; do :; done'; echo "timeout $?"
timeout 2 sleep 100; echo "timeout $?"
(exec 3>lock; flock 3; echo first; sleep 1; echo first done) &
(exec 3>lock; flock 3; echo second) &
wait
