"""What the command lines of campaign.txt need beyond fixtures.py. Made with the native tools, once a run."""
import os
import pathlib
import shutil
import struct
import subprocess

import fixtures

HERE = pathlib.Path(__file__).resolve().parent
FILES = {
    "sum.scm": "(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))\n(display (map fib '(5 10 18))) (newline)\n"
               "(display (call/cc (lambda (k) (for-each (lambda (x) (if (> x 2) (k (expt x 99)))) '(1 2 3)) 0))) (newline)\n",
    "sum.lisp": "(defun fact (n) (if (< n 2) 1 (* n (fact (- n 1)))))\n(print (fact 100))\n"
                "(print (handler-case (/ 1 0) (division-by-zero () :caught)))\n(print (sort (list 3 1 2) #'<))\n",
    "sum.fs": ": fact dup 1 > if dup 1- recurse * else drop 1 then ;\n15 fact . cr\n: t 1 0 / ;\n' t catch . cr\nbye\n",
    "sum.pro": ":- X = f(Y, Z), Y = 1, atom_length(hello, Z), print(X), nl, catch(Q is foo + 1, error(E, _), (print(E), nl)),\n"
               "   findall(A-B, (member(A, [1, 2]), member(B, [x, y])), L), print(L), nl, halt.\n",
    "sum.gp": "print(factor(2^101-1))\nprint(sum(n=1,1000,1/n^2+0.))\nprint(bestappr(Pi,1000))\nquit\n",
    "sum.logo": "to fib :n\nif :n < 2 [output :n]\noutput (fib :n - 1) + (fib :n - 2)\nend\nprint fib 15\nprint sentence [a b] reverse [c d]\nbye\n",
    "sum.bas": "10 let s = 0\n20 for i = 1 to 500\n30 s = s + i * i\n40 next i\n50 print s; sqr(2)\nrun\nquit\n",
    "sum.s": ".data\nt: .asciiz \"sum \"\n.text\nmain: li $v0, 4\nla $a0, t\nsyscall\nli $a0, 0\nli $t0, 1000\nl: addu $a0, $a0, $t0\n"
             "addiu $t0, $t0, -1\nbnez $t0, l\nli $v0, 1\nsyscall\njr $ra\n",
    "utf8.txt": "einstweilen über\nπλανήτης\nсолнце и луна\n星 を 見る\n" * 20,
    "page.ps": "%!PS\n/Helvetica findfont 24 scalefont setfont 72 700 moveto (every body stands) show\n"
               "0 5 360 { gsave 300 400 translate rotate 0.5 setgray 0 0 moveto 150 0 lineto stroke grestore } for\n"
               "300 400 100 0 360 arc closepath 0.2 0.4 0.9 setrgbcolor fill showpage\n",
    "page.roff": ".ll 60\n.ft B\nOrrery\n.ft R\n.sp\nTurn the handle forward or back, and every body stands exactly where it stood.\n.in +4\nSo does a program.\n",
    "page.html": "<html><body><h1>Orrery</h1><p>every <b>body</b></p><ul><li>sun</li><li>moon</li></ul><table><tr><td>a<td>b</table></body></html>",
    "graph.dot": "digraph g { a -> b -> c -> a; b -> d [label=x]; subgraph cluster_0 { e -> f; g -> e }; d -> g; c -> { e f } }\n",
    "names.txt": "words.txt\ntree/a/one.txt\nblob.bin\n",
    "calc.y": "%token N\n%left '+' '-'\n%left '*' '/'\n%%\ns: e { $$ = $1; };\ne: N | e '+' e { $$ = $1 + $3; } | e '-' e | e '*' e | e '/' e | '(' e ')';\n%%\n",
    "calc.l": "%option noyywrap\n%%\n[0-9]+ { return 1; }\n[a-z_]+ { return 2; }\n\\\"[^\"]*\\\" { return 3; }\n[ \\t\\n] ;\n. { return yytext[0]; }\n%%\n",
    "sum.nasm": "section .text\nglobal f\nf: xor eax, eax\n.l: add rax, rdi\n dec rdi\n jnz .l\n ret\n%macro r 1\n%rep %1\n nop\n%endrep\n%endmacro\n r 9\n",
    "map.cc": "#include <map>\n#include <string>\n#include <algorithm>\n#include <vector>\nint main() { std::map<std::string, std::vector<int>> m; m[\"a\"].push_back(1);"
              " std::sort(m[\"a\"].begin(), m[\"a\"].end()); return int(m.size()); }\n",
    "mangled.txt": "_ZN6orrery4step7ExecuteERKNS_8CpuStateE\n_ZNSt3mapISsiSt4lessISsEE4findERKSs\nmain\n" * 30,
    "build.ninja": "rule cc\n  command = cc $in -o $out\nbuild a.o: cc a.c\nbuild b.o: cc b.c | a.o\nbuild all: phony a.o b.o\ndefault all\n",
    "script.cmake": "foreach(i RANGE 20)\n  math(EXPR j \"${i} * ${i} % 7\")\n  list(APPEND l ${j})\nendforeach()\nlist(SORT l)\nstring(SHA256 h \"${l}\")\nmessage(\"${l} ${h}\")\n",
    "messages.po": "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\n\"\n\nmsgid \"sun\"\nmsgstr \"Sonne\"\n\nmsgid \"moon\"\nmsgstr \"Mond\"\n",
    "large.sql": "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL);\nWITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)\n"
                 "INSERT INTO t SELECT i, hex(i * 7919), i / 7.0 FROM n;\nCREATE INDEX tb ON t(b);\nSELECT count(*), sum(c) FROM t WHERE b LIKE '3%';\n"
                 "UPDATE t SET c = c * 2 WHERE a % 3;\nDELETE FROM t WHERE a % 11 = 0;\nVACUUM;\nSELECT max(b), avg(c) FROM t;\nPRAGMA integrity_check;\n",
    "game.gtp": "boardsize 9\ngenmove black\ngenmove white\ngenmove black\ngenmove white\nshowboard\nquit\n",
}


def make(folder):
    """Adds to a folder that fixtures.make filled."""
    folder = pathlib.Path(folder)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for script in (HERE / "soak").iterdir():
        shutil.copyfile(script, folder / script.name)
    (folder / "picture.ppm").write_bytes(b"P6 320 200 255\n" + bytes((x * y + c * 40) // 7 & 255 for y in range(200) for x in range(320) for c in range(3)))
    samples = struct.pack("<22050h", *(int(9000 * ((n * 440 / 22050) % 1 - 0.5)) for n in range(22050)))
    (folder / "sound.wav").write_bytes(b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 22050, 44100, 2, 16)
                                       + b"data" + struct.pack("<I", len(samples)) + samples)
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC", "HOME": str(folder), "SOURCE_DATE_EPOCH": str(fixtures.EPOCH), "GIT_CONFIG_NOSYSTEM": "1",
                   **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                      for what, value in (("NAME", "A"), ("EMAIL", "a@b"), ("DATE", f"{fixtures.EPOCH} +0000"))}}

    def tool(*words, **more):
        subprocess.run(words, cwd=folder, env=environment, check=True, stdout=more.pop("stdout", subprocess.DEVNULL), stderr=subprocess.DEVNULL, **more)

    tool("sh", "-c", "diff -u words.txt words2.txt >words.patch; as -o hello.o hello.s; ar Dcr hello.a hello.o; zip -X -q -r tree.zip tree; "
                     "pnmtopng picture.ppm >picture.png; troff -Tascii page.roff >page.grout; "
                     "gs -q -dSAFER -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile=page.pdf page.ps; "
                     "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 9999 -subj /CN=orrery; "
                     "/usr/sbin/mkfs.fat -C floppy.img 1440; mcopy -i floppy.img words.txt ::")
    tool("sh", "-ec", "git init -q repository; cd repository; cp ../small.c file.txt; git add .; git commit -qm one; cat ../words.txt >>file.txt; "
                      "cp -r ../tree .; git add .; git commit -qm two; sed -i s/star/STAR/ file.txt; git commit -qam three; echo new >>file.txt; git status")
