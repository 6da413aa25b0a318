"""What the soak runs: each job makes its input from a seeded generator and names a command line that
computes for some seconds. Only programs that start no task (`./dev soak --tasks` asks strace)."""
import json
import pathlib
import random
import shutil
import subprocess

import c_source
import fixtures

HERE = pathlib.Path(__file__).resolve().parent
CC1 = "/usr/lib/gcc/x86_64-linux-gnu/12/cc1"
TREES = ["/usr/include", "/usr/share/perl", "/usr/lib/python3", "/usr/share/doc", "/usr/lib/gcc"]
JOBS = {}


class Job:
    """A command line in the folder that holds its input."""

    def __init__(self, *command, stdin=None, varies=False):
        self.command, self.stdin = [str(word) for word in command], stdin
        self.varies = varies  # two native runs may differ


def job(make):
    JOBS[make.__name__.replace("_", "-")] = make
    return make


def mix(suffix, rounds):
    """The script of soak/ in this language, its seed, and how long it goes on."""
    return HERE / f"soak/mix.{suffix}", lambda rng: (rng.randrange(1, 2**31 - 1), rng.randrange(rounds // 4, rounds))


def text(rng, folder, lines, name="text"):
    with open(folder / name, "w") as file:
        for line in fixtures.words(rng, lines):
            file.write(line + "\n")
    return name


def binary(rng, folder, mebibytes, name="input"):
    """Pieces of programs, libraries and text, with noise between them."""
    places = sorted(p for p in pathlib.Path("/usr/bin").iterdir() if p.is_file() and p.stat().st_size > 100_000)
    data = bytearray()
    while len(data) < mebibytes << 20:
        piece = rng.choice(places).read_bytes()
        start = rng.randrange(len(piece))
        data += piece[start:start + rng.randrange(1 << 20)] + rng.randbytes(rng.randrange(50_000))
        data += "\n".join(fixtures.words(rng, rng.randrange(3000))).encode()
    (folder / name).write_bytes(data)
    return name


@job
def lua(rng, folder):
    script, arguments = mix("lua", 2500)
    return Job("lua5.4", script, *arguments(rng))


@job
def luajit(rng, folder):
    script, arguments = mix("lua", 6000)
    return Job("luajit", *rng.choice([[], ["-O1"], ["-joff"], ["-O3"]]), script, *arguments(rng))


@job
def python(rng, folder):
    script, arguments = mix("py", 1500)
    return Job("/usr/bin/python3", "-I", script, *arguments(rng))


@job
def perl(rng, folder):
    script, arguments = mix("pl", 600)
    return Job("perl", script, *arguments(rng))


@job
def awk(rng, folder):
    script, arguments = mix("awk", 3000)
    seed, rounds = arguments(rng)
    return Job(rng.choice(["gawk", "mawk"]), "-v", f"seed={seed}", "-v", f"rounds={rounds}", "-f", script)


@job
def tclsh(rng, folder):
    script, arguments = mix("tcl", 1000)
    return Job("tclsh", script, *arguments(rng))


@job
def ruby(rng, folder):
    script, arguments = mix("rb", 1500)
    return Job("ruby", script, *arguments(rng))


@job
def php(rng, folder):
    script, arguments = mix("php", 1500)
    return Job("php", "-n", script, *arguments(rng))


@job
def bash(rng, folder):
    return Job("bash", "-c", "declare -A m; for ((i = 0; i < $1; i++)); do ((s = s * 69069 + i, s &= 0xffffff)); m[$((s % 97))]+=${s: -1}; "
               "[[ ${m[$((s % 97))]} =~ 9$ ]] && m[$((s % 97))]=; done; printf '%s\\n' \"${m[@]}\"", "bash", rng.randrange(50_000, 200_000))


@job
def sqlite(rng, folder):
    rows = rng.randrange(20_000, 150_000)
    lines = [f"PRAGMA journal_mode={rng.choice(['delete', 'wal', 'memory', 'truncate'])};", "CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, s TEXT, r REAL);",
             f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO t "
             f"SELECT i, i * {rng.randrange(1, 99999)} % {rng.randrange(100, 9999)}, hex(i * 7919) || 's', i / 7.0 FROM n;",
             "CREATE INDEX tk ON t(k, s);"]
    for _ in range(rng.randrange(10, 40)):
        lines.append(rng.choice([
            f"SELECT k, count(*), sum(r), max(s) FROM t GROUP BY k HAVING k % {rng.randrange(2, 9)} = 0 ORDER BY 3 DESC LIMIT 5;",
            f"UPDATE t SET s = s || k, r = r * 1.5 WHERE k % {rng.randrange(3, 30)} = 1;",
            f"DELETE FROM t WHERE id % {rng.randrange(11, 90)} = 3;",
            f"SELECT count(*) FROM t a JOIN t b ON a.k = b.k AND a.id < b.id WHERE a.k < {rng.randrange(20)};",
            f"SELECT group_concat(s, '-') FROM (SELECT s FROM t WHERE s LIKE '%{rng.randrange(99)}%' ORDER BY r LIMIT 9);",
            "SELECT sum(x) FROM (SELECT row_number() OVER (PARTITION BY k ORDER BY r) AS x FROM t);",
            f"BEGIN; INSERT INTO t(k, s, r) SELECT k + 1, upper(s), r FROM t LIMIT {rng.randrange(5000)}; {rng.choice(['COMMIT', 'ROLLBACK'])};",
            "PRAGMA integrity_check;", "VACUUM;"]))
    (folder / "script.sql").write_text("\n".join(lines) + "\n")
    return Job("sqlite3", "soak.db", stdin="script.sql")


@job
def compress(rng, folder):
    name = binary(rng, folder, rng.randrange(2, 24))
    return Job(*rng.choice([["bzip2", "-k"], ["xz", "-T1", "-k", f"-{rng.randrange(7)}"],
                            ["gzip", "-kn", f"-{rng.randrange(1, 10)}"], ["lzip", "-k"], ["brotli", "-k", "-q", str(rng.randrange(3, 10))],
                            ["lz4", "-q", "-k", f"-{rng.randrange(1, 10)}"]]), name)


@job
def decompress(rng, folder):
    name = binary(rng, folder, rng.randrange(4, 40))
    tool = rng.choice([["bzip2"], ["xz", "-T1", "-1"], ["gzip", "-4"], ["lzip"]])
    subprocess.run([*tool, name], cwd=folder, check=True)
    packed = next(p.name for p in folder.iterdir() if p.name.startswith(name))
    return Job(*(["xz", "-T1"] if tool[0] == "xz" else tool[:1]), "-d", packed)


@job
def openssl(rng, folder):
    name = binary(rng, folder, rng.randrange(20, 120))
    return Job(*rng.choice([["openssl", "dgst", f"-{rng.choice(['sha256', 'sha512', 'sha3-256', 'blake2b512', 'md5', 'sm3'])}", name],
                            ["openssl", "enc", f"-{rng.choice(['aes-256-cbc', 'aes-128-ctr', 'chacha20', 'camellia-128-cbc'])}", "-K", "00112233445566778899aabbccddeeff" * 2,
                             "-iv", "000102030405060708090a0b0c0d0e0f", "-in", name, "-out", "encrypted"],
                            ["openssl", "prime", "-generate", "-bits", str(rng.randrange(500, 1200))],
                            ["openssl", "genrsa", str(rng.choice([2048, 3072, 4096]))],
                            ["openssl", "speed", "-seconds", "1", "-bytes", "4096", rng.choice(["sha256", "aes-128-cbc", "ecdsap256", "md5"])]]), varies=True)


@job
def jq(rng, folder):
    items = [{"name": f"item {i}", "price": rng.randrange(1000), "tags": rng.sample("abcdefgh", 3), "x": rng.random()} for i in range(rng.randrange(20_000, 120_000))]
    (folder / "data.json").write_text(json.dumps({"items": items}))
    return Job("jq", "-c", rng.choice(["[.items[] | select(.price > 500)] | group_by(.tags[0]) | map({t: .[0].tags[0], n: length, s: (map(.x) | add)})",
                                       ".items | map(.price) | sort | unique | length",
                                       "reduce .items[] as $i ({}; .[$i.tags | join(\"\")] += $i.price) | to_entries | sort_by(.value) | .[-3:]",
                                       ".items[] | select(.name | test(\"9+1\")) | .name |= ascii_upcase"]), "data.json")


@job
def xml(rng, folder):
    with open(folder / "data.xml", "w") as file:
        file.write("<?xml version='1.0'?><sky>")
        for i in range(rng.randrange(30_000, 150_000)):
            file.write(f"<star id='s{i}' mag='{rng.random():.3f}'><name>{rng.choice(['vega', 'deneb', 'altair'])}&amp;{i}</name><p/></star>\n")
        file.write("</sky>")
    return Job(*rng.choice([["xmllint", "--format"], ["xmllint", "--xpath", "count(//star[@mag > 0.5]/name)"], ["xmllint", "--c14n"],
                            ["xmllint", "--stream", "--noout"], ["xmllint", "--noout", "--sax1"]]), "data.xml")


@job
def sort(rng, folder):
    name = text(rng, folder, rng.randrange(100_000, 500_000))
    return Job("sort", "--parallel=1", f"-S{rng.choice(['2M', '20M', '200M'])}", *rng.choice([[], ["-u"], ["-r", "-k2"], ["-f", "-k3,3"], ["-R", "--random-source=text"]]), name)


@job
def grep(rng, folder):
    return Job("grep", "-r", *rng.choice([["-c", "int"], ["-nE", "(struct|union) [a-z_]+ *\\{"], ["-oP", "\\b(\\w)\\w*\\1\\b(?=;)"], ["-il", "copyright"],
                                          ["-w", "return"]]), rng.choice(TREES))


@job
def tar(rng, folder):
    return Job("tar", "-cf", "new.tar", "--sort=name", *rng.sample(TREES, 2))


@job
def files(rng, folder):
    tree = rng.choice(TREES)
    return Job(*rng.choice([["find", tree, "-type", "f", "-newer", "/bin/true", "-printf", "%P %s %m\\n"], ["du", "-a", tree], ["ls", "-lR", tree],
                            ["cp", "-a", tree, "copy"], ["diff", "-r", tree, rng.choice(TREES)]]))


@job
def binutils(rng, folder):
    program = rng.choice(["/usr/bin/perl", "/usr/bin/gawk", "/usr/bin/vim.tiny", "/usr/bin/sqlite3", "/usr/bin/x86_64-linux-gnu-ld.bfd", "/usr/bin/openssl"])
    return Job(*rng.choice([["objdump", "-d"], ["readelf", "-aW"], ["strings", "-a", "-n", "3"], ["objdump", "-s", "-j", ".rodata"], ["nm", "-D"]]), program)


def source(rng, folder, functions, rounds):
    (folder / "source.c").write_text(c_source.program(rng, functions, rounds))
    return "source.c"


@job
def cc1(rng, folder):
    name = source(rng, folder, rng.randrange(100, 700), 1)
    return Job(CC1, "-quiet", "-w", "-imultiarch", "x86_64-linux-gnu", rng.choice(["-O0", "-O1", "-O2", "-O3", "-Os"]),
               *rng.choice([[], ["-g"], ["-march=x86-64-v3"], ["-fsanitize=undefined"]]), "-o", "source.s", name)


@job
def assembler(rng, folder):
    name = source(rng, folder, rng.randrange(500, 3000), 1)
    subprocess.run(["gcc", "-w", "-S", rng.choice(["-O0", "-O1", "-g"]), name], cwd=folder, check=True)
    return Job("as", "-o", "source.o", "source.s")


@job
def linker(rng, folder):
    name = source(rng, folder, rng.randrange(100, 600), 1)
    subprocess.run(["gcc", "-w", "-c", "-g", "-O1", "-ffunction-sections", name], cwd=folder, check=True)
    return Job("ld", "-pie", "--gc-sections", *rng.choice([[], ["--build-id"], ["-O2", "--hash-style=both"]]), "-dynamic-linker", "/lib64/ld-linux-x86-64.so.2", "-o", "source",
               "/usr/lib/x86_64-linux-gnu/Scrt1.o", "source.o", "-L/usr/lib/x86_64-linux-gnu", "-lm", "-lc",
               "-L/usr/lib/gcc/x86_64-linux-gnu/12", "-lgcc")


@job
def compiled(rng, folder):
    """Code no one has seen before."""
    name = source(rng, folder, rng.randrange(20, 200), rng.randrange(50_000, 400_000))
    march = rng.choice(["x86-64", "x86-64-v2", "x86-64-v3", "native"])
    subprocess.run(["gcc", "-w", rng.choice(["-O0", "-O1", "-O2", "-O3", "-Os", "-Ofast"]), f"-march={march}", *rng.choice([[], ["-static"], ["-m80387", "-mfpmath=387"]]),
                    "-o", "source", name, "-lm"], cwd=folder, check=True)
    return Job("./source")


@job
def arithmetic(rng, folder):
    digits = rng.randrange(400, 3000)
    tool = rng.choice(["bc", "dc", "factor", "gp"])
    if tool == "bc":
        (folder / "task").write_text(f"scale={digits}\n4*a(1)\ne(1)\nsqrt({rng.randrange(2, 99)})\nquit\n")
        return Job("bc", "-l", "task")
    if tool == "dc":
        (folder / "task").write_text(f"[ {rng.randrange(3, 99)} {digits * 20} ^ lx + sx 1 + d 9 >l ] sl 0 sx 1 llx lx p q\n")
        return Job("dc", "-f", "task")
    if tool == "factor":
        return Job("factor", *(rng.getrandbits(rng.randrange(60, 110)) | 1 for _ in range(12)))
    (folder / "task").write_text(f"print(factor({rng.getrandbits(180)}));print(sum(n=1,{digits * 50},1/n^2+0.));print(bernfrac({digits // 3}));quit\n")
    return Job("gp", "-q", "-f", "-s", "200M", "task")


@job
def go_game(rng, folder):
    """A program against itself."""
    moves = [f"genmove {'black' if i % 2 else 'white'}" for i in range(rng.randrange(10, 50))]
    (folder / "game").write_text("\n".join(["boardsize 13", *moves, "showboard", "quit"]) + "\n")
    return Job("/usr/games/gnugo", "--mode", "gtp", "--seed", rng.randrange(1, 9999), "--level", rng.randrange(1, 11), stdin="game")


@job
def sound(rng, folder):
    seconds = rng.randrange(20, 200)
    subprocess.run(["sox", "-R", "-n", "-r", "44100", "-c", "2", "in.wav", "synth", str(seconds), "sine", f"200-{rng.randrange(300, 9000)}", "pinknoise"], cwd=folder, check=True)
    return Job(*rng.choice([["flac", "-s", f"-{rng.randrange(9)}", "in.wav"], ["lame", "--quiet", "-b", "128", "in.wav", "out.mp3"],
                            ["sox", "-R", "in.wav", "out.wav", "rate", "32000", "reverb", "bass", "+3"]]))


@job
def picture(rng, folder):
    width, height = rng.randrange(500, 3000), rng.randrange(500, 3000)
    noise = rng.randbytes(997)
    (folder / "in.ppm").write_bytes(f"P6 {width} {height} 255\n".encode() + bytes((noise[i % 997] & 31) + (i // 4096 & 127) for i in range(width * height * 3)))
    return Job(*rng.choice([["cjpeg", "-optimize", "-outfile", "out.jpg"], ["pamscale", "0.37"], ["cwebp", "-quiet", "-m", "4", "-o", "out.webp"],
                            ["pnmtopng"], ["ppmhist"], ["pamflip", "-r90"]]), "in.ppm")


@job
def page(rng, folder):
    (folder / "in.ps").write_text("%!PS\n/Helvetica findfont 12 scalefont setfont\n" + "\n".join(
        f"{rng.random():.2f} {rng.random():.2f} 0 setrgbcolor {rng.randrange(600)} {rng.randrange(800)} {rng.randrange(1, 200)} 0 {rng.randrange(360)} arc "
        f"{rng.choice(['fill', 'stroke', 'closepath stroke'])} {rng.randrange(500)} {rng.randrange(800)} moveto (orrery {i}) show" + (" showpage" if i % 300 == 299 else "")
        for i in range(rng.randrange(1000, 8000))) + "\nshowpage\n")
    return Job("gs", "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", *rng.choice([["-sDEVICE=ppmraw", "-r150"], ["-sDEVICE=png16m", "-r100", "-dTextAlphaBits=4"],
                                                                           ["-sDEVICE=pdfwrite"]]), "-sOutputFile=out-%d", "in.ps", varies=True)


@job
def prolog(rng, folder):
    (folder / "queens.pl").write_text(
        "q(N, Qs) :- numlist(1, N, Ns), permutation(Ns, Qs), safe(Qs).\nsafe([]).\nsafe([Q|Qs]) :- away(Q, 1, Qs), safe(Qs).\naway(_, _, []).\n"
        "away(Q, D, [X|Xs]) :- Q =\\= X + D, Q =\\= X - D, E is D + 1, away(Q, E, Xs).\n"
        f"l(0, 1) :- !.\nl(N, F) :- M is N - 1, l(M, G), F is N * G.\n"
        f":- q({rng.randrange(6, 9)}, Q), print(Q), nl, l({rng.randrange(500, 3000)}, F), X is F mod 1000003, print(X), nl, "
        f"findall(A-B, (between(1, {rng.randrange(100, 600)}, A), between(1, 300, B), 0 is (A * B) mod 97), L), length(L, N), print(N), nl, halt.\n")
    return Job("swipl", "--no-threads", "-q", "-f", "queens.pl")


@job
def lisp(rng, folder):
    (folder / "task.lisp").write_text(
        f"(defun fib (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))\n(print (fib {rng.randrange(18, 24)}))\n"
        f"(let ((h (make-hash-table :test 'equal))) (dotimes (i {rng.randrange(20000, 90000)}) (push i (gethash (format nil \"~a\" (mod (* i i) 997)) h))) (print (hash-table-count h)))\n"
        f"(print (mod (expt {rng.randrange(3, 99)} {rng.randrange(5000, 40000)}) 1000003))\n")
    return Job("clisp", "-q", "-norc", "task.lisp")


@job
def forth(rng, folder):
    (folder / "task.fs").write_text(f": fib dup 2 < if else dup 1- recurse swap 2 - recurse + then ;\n{rng.randrange(25, 33)} fib . cr\n"
                                    f": loops 0 {rng.randrange(3000000, 30000000)} 0 do i + 7 xor loop ;\nloops . cr bye\n")
    return Job("gforth", "task.fs")


@job
def editor(rng, folder):
    name = text(rng, folder, rng.randrange(5_000, 40_000))
    commands = [r"%s/\(star\)\(\w*\)/\2\1/g", "g/moon/m0", "%sort u", "v/gear/s/o/0/ge", "1,500j", r"%s/\v(\w+) (\w+)/\2 \1/ge", "g/ring/normal Aend", "undo"]
    words = [w for c in rng.sample(commands, 5) for w in ("-c", c)]
    return Job("vim.tiny", "-u", "NONE", "-i", "NONE", "-n", "-es", *words, "-c", "wq", name)


@job
def streams(rng, folder):
    name = text(rng, folder, rng.randrange(50_000, 400_000))
    return Job(*rng.choice([["sed", "-E", r"s/([a-z]+) ([a-z]+)/\2 \1/g;/moon/{N;s/\n/ /};y/aeiou/AEIOU/"], ["wc"], ["tac"], ["rev"], ["fold", "-s", "-w", "20"], ["fmt", "-w", "60"],
                            ["sha512sum"], ["b2sum"], ["cksum", "-a", "crc"], ["od", "-A", "x", "-t", "x1z"], ["base64"], ["xxd"], ["nl", "-ba"], ["tsort"], ["uniq", "-c"],
                            ["expand"], ["shuf"], ["m4"], ["rhash", "--tiger", "--whirlpool", "--gost12-256"], ["busybox", "sha3sum"], ["busybox", "sort"],
                            ["busybox", "bzip2", "-kc"]]), name, varies=True)


def make(name, seed, folder):
    """The job of this name and seed, its input in `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return JOBS[name](random.Random(f"{name} {seed}"), folder)
