#!/usr/bin/env python3
"""Real programs that are correct: `orrery show errors` and `show races` must say nothing of them. What one of them says is looked at with
Memcheck, or Helgrind, on the same command: what these tell too is no false alarm. One line a program."""
import argparse
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

TIMEOUT_SECONDS = 600
PROGRAMS_LEAST = 30

# Each in a folder that prepare() fills.
COMMANDS = """
ls -lR /usr/share/perl5
cp -r texts copies
sort --parallel=4 -S 1M big
uniq -c big
wc big
tr a-z A-Z < big
od -c -N 20000 big
sha256sum big
grep -rnE '[a-z]+[0-9]{3}' texts
find texts -name '*1*' -size -5k
xargs -n 20 echo < words
sed -E 's/([a-z]+) ([0-9]+)/\\2 \\1/' big
gawk '{ n[$1] += $2 } END { for (k in n) print k, n[k] }' big
perl -ne '$n{$1}++ while /(\\w+)/g; END { print "$_ $n{$_}\\n" for sort keys %n }' words
python3 -c 'import json, re; print(len(json.dumps([re.sub("a", "b", line) for line in open("big")])))'
bash -c 'for i in {1..200}; do a[$i]=$((i * i)); done; echo "${a[@]}" | wc -c'
dash -c 'i=0; while [ $i -lt 200 ]; do i=$((i + 1)); done; echo $i'
git -c user.name=a -c user.email=a@b -C repository commit -q --allow-empty -m one
sqlite3 :memory: 'create table t(a, b); with recursive c(x) as (select 1 union all select x + 1 from c where x < 2000) insert into t select x, x * x from c; select sum(b) from t group by a % 7;'
bzip2 -k -f big
gzip -k -f big
xz -k -f -T2 --block-size=200KiB big
zstd -q -f -T2 big -o big.zst
pigz -k -f -p 2 big
tar cf texts.tar texts
make -s -f rules all
gcc -O2 -c program.c -o program.o
g++ -O1 -c program.cc -o program2.o
as program.s -o program3.o
ld -r program.o -o joined.o
objdump -d program.o
readelf -a program.o
nm -C program.o
diff -u big other
patch -s -o patched big changes
file program.o big texts.tar
jq '.[] | select(.n > 50) | .name' numbers.json
bc -q sums
openssl dgst -sha512 big
zip -q -r texts.zip texts
unzip -q -o -d unzipped ready.zip
m4 macros
tclsh script.tcl
lua -e 't = {} for i = 1, 3000 do t[i] = tostring(i) end table.sort(t) print(#table.concat(t))'
cpio -o --quiet < names
join -j 1 sorted sorted
shuf --random-source=big big
base64 big
factor 18446744073709551557 600851475143
busybox sh -c 'seq 1 300 | busybox awk "{ s += \\$1 } END { print s }"'
gdb -batch -nx -ex 'info functions' program.o
vim -u NONE -es -c '%s/a/b/g' -c 'wq! edited' big
"""


def prepare(folder):
    texts = folder / "texts"
    texts.mkdir()
    lines = [f"{'abcdefghij'[i * 7 % 10] * (i % 5 + 1)} {i * 7919 % 1000} {i}\n" for i in range(12000)]
    for i in range(20):
        (texts / f"text{i}").write_text("".join(lines[i * 50:i * 50 + 40]))
    (folder / "big").write_text("".join(lines))
    (folder / "other").write_text("".join(line for i, line in enumerate(lines) if i % 500))
    (folder / "words").write_text("".join(lines[:600]))
    (folder / "sorted").write_text("".join(sorted(lines[:500])))
    (folder / "names").write_text("".join(f"texts/text{i}\n" for i in range(20)))
    (folder / "numbers.json").write_text(json.dumps([{"name": f"n{i}", "n": i} for i in range(100)]))
    (folder / "rules").write_text("all: one two\none:\n\techo 1 > one\ntwo: one\n\tcat one > two\n")
    (folder / "sums").write_text("scale=50\n4*a(1)\n2^200\nquit\n")
    (folder / "macros").write_text("define(`f', `ifelse($1, 0, , `$1 f(decr($1))')')f(50)\n")
    (folder / "script.tcl").write_text("for {set i 0} {$i < 500} {incr i} {lappend l $i}\nputs [llength [lsort $l]]\n")
    (folder / "program.c").write_text("#include <stdio.h>\nint main(int n, char** v) { for (int i = 0; i < n; ++i) puts(v[i]); return 0; }\n")
    (folder / "program.cc").write_text("#include <map>\n#include <string>\nint f(std::map<std::string, int>& m) { return m[\"a\"]++; }\n")
    (folder / "program.s").write_text(".globl f\nf: mov $1, %eax\n ret\n")
    quiet = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["gcc", "-g", "-O2", "-c", "program.c"], **quiet)
    subprocess.run(["git", "init", "-q", "repository"], **quiet)
    subprocess.run(["python3", "-m", "zipfile", "-c", "ready.zip", "texts"], **quiet)
    difference = subprocess.run(["diff", "-u", "big", "other"], cwd=folder, capture_output=True, check=False)
    (folder / "changes").write_bytes(difference.stdout)


def told(options, recording, layer, lists):
    done = subprocess.run([options.orrery, "show", layer, recording, "--all", "--json"], capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode != 0:
        return None, done.stderr.decode(errors="replace")[-300:]
    found = json.loads(done.stdout)
    return [each for name in lists for each in found[name]], ""


def valgrinds(tool, command, folder):
    """How many errors the tool tells of the command's processes, but leaks."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(["valgrind", f"--tool={tool}", "--trace-children=yes", "-q", "--undef-value-errors=no" if tool == "memcheck" else "-q",
                        "--xml=yes", f"--xml-file={out}/%p.xml", "sh", "-c", command], cwd=folder, stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
        count = 0
        for file in pathlib.Path(out).glob("*.xml"):
            try:
                root = xml.etree.ElementTree.parse(file).getroot()
            except xml.etree.ElementTree.ParseError:
                continue  # of a process that was killed
            count += sum(not error.findtext("kind").startswith("Leak_") for error in root.iter("error"))
        return count


def look(options, command, folder):
    recording = folder / "recording"
    shutil.rmtree(recording, ignore_errors=True)
    recorded = subprocess.run([options.orrery, "record", "-o", recording, "--", "sh", "-c", command], cwd=folder, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    if not recording.exists():
        return [f"not recorded: {recorded.stderr[-300:]!r}"], []
    alarms, kept = [], []
    for layer, lists, tool in (("errors", ["errors"], "memcheck"), ("races", ["races", "orders", "misuses"], "helgrind")):
        found, trouble = told(options, recording, layer, lists)
        if found is None:
            alarms.append(f"{layer}: {trouble}")
        elif found:
            as_many = valgrinds(tool, command, folder)
            first = json.dumps(found[0])[:600]
            (kept if as_many else alarms).append(f"{layer}: {len(found)}, {tool}: {as_many}; {first}")
    return alarms, kept


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orrery", default=pathlib.Path(__file__).resolve().parents[2] / "build/release/orrery", type=pathlib.Path)
    parser.add_argument("--only", default="", help="part of a command")
    options = parser.parse_args()
    options.orrery = options.orrery.resolve()
    os.environ["LC_ALL"] = "C"
    sums = collections.Counter()
    for command in filter(None, COMMANDS.splitlines()):
        if options.only not in command:
            continue
        if shutil.which(command.split()[0]) is None:
            sums["not there"] += 1
            continue
        with tempfile.TemporaryDirectory(prefix="correct.") as scratch:
            folder = pathlib.Path(scratch)
            prepare(folder)
            alarms, kept = look(options, command, folder)
        sums["false" if alarms else "as Valgrind" if kept else "silent"] += 1
        verdict = "FALSE" if alarms else "as Valgrind" if kept else "ok"
        print(f"{verdict:11} {command[:100]}", *(alarms + kept), sep="\n            ", flush=True)
    print(", ".join(f"{count} {what}" for what, count in sums.items()))
    looked_at = sums["silent"] + sums["as Valgrind"] + sums["false"]
    print(f"{looked_at - sums['false']} passed, {sums['false']} failed")
    return 1 if sums["false"] or (not options.only and looked_at < PROGRAMS_LEAST) else 0


if __name__ == "__main__":
    sys.exit(main())
