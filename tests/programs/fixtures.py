"""The files the programs work on: the same bytes everywhere, made from a fixed seed."""
import bz2
import base64
import gzip
import hashlib
import io
import json
import lzma
import os
import pathlib
import random
import shutil
import tarfile

SOURCES = pathlib.Path(__file__).resolve().parent / "fixtures"
EPOCH = 1_600_000_000


def words(random_, lines):
    stems = ["star", "orbit", "wheel", "gear", "handle", "body", "clock", "planet", "moon", "sun", "ring", "axle"]
    ends = ["", "s", "ed", "ing", "like", "less", "ward"]
    for _ in range(lines):
        yield " ".join(random_.choice(stems) + random_.choice(ends) for _ in range(random_.randint(2, 9)))


def log(random_, lines):
    for n in range(lines):
        yield (f"2024-0{1 + n % 9}-{1 + n % 28:02d} 10.0.{n % 256}.{random_.randrange(256)} "
               f"{random_.choice(['GET', 'POST', 'PUT'])} /{random_.choice(['a', 'b/c', 'index.html'])}"
               f" {random_.choice([200, 200, 200, 404, 500])} {random_.randrange(9999)}")


def make(folder):
    """Fills an empty folder."""
    folder = pathlib.Path(folder)
    rng = random.Random(20260101)

    def write(name, data):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return data.encode() if isinstance(data, str) else data

    def write_lines(name, lines):
        return write(name, "".join(f"{line}\n" for line in lines))

    text = list(words(rng, 1500))
    words_bytes = write_lines("words.txt", text)
    write_lines("words2.txt", [w if i % 100 else w.upper() for i, w in enumerate(text)])
    numbers = [rng.randrange(100000) for _ in range(1200)]
    write_lines("numbers.txt", numbers)
    write_lines("sorted.txt", sorted(str(n // 50) for n in numbers))
    write_lines("sorted2.txt", sorted(str(n // 70) for n in numbers))
    write_lines("log.txt", log(rng, 2500))
    names = ["ada", "bob", "cy", "dot", "eve"]
    write_lines("names.csv", [f"{n},{n.title()} Smith" for n in names])
    write_lines("shop.csv", sorted((f"{i},{rng.choice(names)},{rng.randrange(1, 20)},{rng.randrange(9999) / 100}" for i in range(400)),
                                   key=lambda row: row.split(",")[1]))
    write("data.json", json.dumps({"items": [{"name": f"item {i}", "price": rng.randrange(100), "count": i % 7} for i in range(300)]}))
    blob = rng.randbytes(20000)
    write("blob.bin", blob)
    write("blob2.bin", bytes(b ^ (i % 1000 == 0) for i, b in enumerate(blob)))
    write("blob.b64", base64.encodebytes(blob))
    write("blob.xz", lzma.compress(blob[:4000] * 3))
    write("words.md5", f"{hashlib.md5(words_bytes).hexdigest()}  words.txt\n{'0' * 32}  log.txt\n")
    write("words.txt.gz", gzip.compress(words_bytes, mtime=0))
    write("words.txt.bz2", bz2.compress(words_bytes))
    write("script.ed", "1,3p\n/star/s//STAR/\n.,+2n\nw edited.txt\nQ\n")
    write("sum.tcl", "set s 0\nfor {set i 0} {$i < 5000} {incr i} {incr s [expr {$i * $i % 7}]}\n"
                     "puts [format {%d %s} $s [lsort {pear apple fig}]]\nputs [regsub -all {a(.)} {abacad} {<\\1>}]\n")
    write("hello.s", '\t.globl f\n\t.text\nf:\n\tleaq text(%rip), %rax\n\tret\n\t.data\ntext:\t.asciz "hello"\n')
    for name in ("a/one.txt", "a/two.txt", "a/b/three.txt", "c/four.dat"):
        write_lines(f"tree/{name}", words(rng, rng.randint(3, 300)))
    os.symlink("a/one.txt", folder / "tree/link")
    (folder / "out").mkdir()
    for path in SOURCES.iterdir():
        shutil.copyfile(path, folder / path.name)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(folder / "tree", "tree", filter=_plain)
    write("tree.tar", archive.getvalue())
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


def _plain(member):
    member.mtime, member.uid, member.gid, member.uname, member.gname = EPOCH, 0, 0, "root", "root"
    return member
