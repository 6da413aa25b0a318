# Pipelines, subshells, here-documents, traps, background jobs and their statuses.
seq 200 | grep 7 | sort -rn | head -3
(cd / && pwd; exit 3); echo "subshell: $?"
cat <<END | tr a-z A-Z
a here-document
END
value=$(printf '%s\n' one two three | wc -l); echo "lines: $((value))"
trap 'echo trapped' USR1
kill -USR1 $$
sleep 0.05 & first=$!
(exit 7) & second=$!
wait "$second"; echo "second: $?"
wait "$first"; echo "first: $?"
(kill -TERM "$(sh -c 'echo $PPID')"; echo never); echo "killed: $?"
for i in 1 2 3 4 5; do /bin/true || echo false; done
/nonexistent 2>/dev/null; echo "missing: $?"
trap 'echo bye' EXIT
exit 4
