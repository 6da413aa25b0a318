"""docs/tables.md: the example of each table, on real recordings."""
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

import programs

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"

THREADS = r"""
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void* left;

static void* work(void* unused) {
  for (int i = 0; i < 20; ++i) {
    pthread_mutex_lock(&lock);
    left = malloc(100);
    usleep(1000);
    pthread_mutex_unlock(&lock);
  }
  return unused;
}

static void on_signal(int number) { (void)number; }

/* One request over TCP, answered by the parent. */
static void talk(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  bind(listener, (struct sockaddr*)&address, length);
  listen(listener, 1);
  getsockname(listener, (struct sockaddr*)&address, &length);
  char text[16];
  if (fork() == 0) {
    int client = socket(AF_INET, SOCK_STREAM, 0);
    connect(client, (struct sockaddr*)&address, sizeof address);
    write(client, "question", 8);
    _exit(read(client, text, sizeof text) != 6);
  }
  int server = accept(listener, 0, 0);
  read(server, text, sizeof text);
  write(server, "answer", 6);
  close(server);
  close(listener);
}

/* libc has one too: this one wins. */
int rand_r(unsigned* seed) { return (int)++*seed; }

int main(void) {
  signal(SIGUSR1, on_signal);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  unsigned seed = dlsym(RTLD_DEFAULT, "puts") != 0;
  pthread_t one, two;
  pthread_create(&one, 0, work, 0);
  pthread_create(&two, 0, work, 0);
  pthread_join(one, 0);
  pthread_join(two, 0);
  talk();
  return open("/nothing", O_RDONLY) >= 0 || rand_r(&seed) == 0;
}
"""

# What neither recording has: nothing is missing, and the libraries are where they are looked for first.
EMPTY = {"link_trouble", "memory_error", "data_race", "lock_order", "lock_misuse"}


def examples():
    """Table, statement."""
    page = (DOCS / "tables.md").read_text()
    parts = re.split(r"^## ", page, flags=re.M)[1:]
    return [(part.split("\n", 1)[0], sql) for part in parts for sql in re.findall(r"```sql\n(.*?)\n```", part, re.S)]


def case_table_examples(orrery, expect):
    program = programs.build(orrery.home, "tables", THREADS, "-rdynamic", "-g", "-Wl,-z,lazy", "-Wl,-rpath,/nowhere")
    (orrery.home / "hello.c").write_text("int main(void) { return 0; }\n")
    recordings = [orrery.record([program]), orrery.record(["gcc", "hello.c", "-o", "hello"])]
    expect(len(examples()) > 35, True, "examples on the page")
    without_rows = []
    for table, sql in examples():
        if sum(len(orrery.rows(recording, sql)) for recording in recordings) == 0:
            without_rows.append(table)
    expect(sorted(without_rows), sorted(EMPTY), "tables whose examples find nothing")


# What of docs/*.schema.json each report is, on the program above; others in their own layer's tests.
REPORTS = (
    ("show link", "reports#link"), ("show link --at main", "reports#link"), ("show link --symbol malloc", "reports#link_chain"),
    ("show load", "reports#load"), ("show load --at 50%", "reports#load"),
    ("show io", "reports#io"), ("show io --at 50%", "reports#io"), ("show io --calls", "reports#io_calls"), ("show io --slowest 2", "requests"),
    ("show pages", "reports#pages"), ("show pages --at main", "reports#pages"),
    ("show process", "process"), ("show process --at 50%", "process"), ("show process --history", "reports#process_history"),
    ("show memory", "memory"), ("show memory --at 50%", "memory"), ("show memory --history", "reports#memory_history"),
    ("show stack --at 50%", "stack"), ("show cpu --at 50%", "cpu"),
    ("show sched", "sched"), ("show sched --at 50%", "sched"), ("show sched --path", "sched"),
    ("show cache", "cache"), ("show cache --by line", "cache"),
    ("show profile", "profile"), ("show profile --by line", "profile"), ("show profile --by call", "profile"),
    ("show heap", "heap"), ("show heap --at 90%", "heap"), ("show heap --blocks", "heap"), ("show errors", "errors"),
    ("show races", "races"),
    ("why", "reports#why"), ("info", "reports#info"), ("info --verify", "reports#info"), ("ps", "reports#ps"))


def checked(orrery, expect, words, name, status=0):
    """The document, which is as docs/NAME.schema.json says, or its definition behind the #."""
    found = json.loads(orrery.run(*words, "--json", status=status))
    file, _, part = name.partition("#")
    root = schema.load(file)
    problems = list(schema.problems(found, root["$defs"][part] if part else root, root))
    expect(problems[:5], [], f"the schema of {' '.join(map(str, words))}")
    return found


def layers(orrery):
    listed = orrery.run("show", "--help").split("Subcommands:")[1].split("Examples:")[0]
    return set(re.findall(r"^  ([a-z]+) ", listed, re.M))


def case_documents(orrery, expect):
    """What `--json` prints is what docs says of it, for every report."""
    program = programs.build(orrery.home, "tables", THREADS, "-rdynamic", "-g")
    recording = orrery.record([program])
    for command, name in REPORTS:
        verb, *rest = command.split()
        words = (verb, rest[0], recording, *rest[1:]) if verb == "show" else (verb, recording, *rest)
        expect(bool(checked(orrery, expect, words, name)), True, f"that {command} says something")
    crash = programs.build(orrery.home, "crash", 'int main(void) { puts(""); open("/nothing", 0); return *(volatile int*)8; }\n', "-g")
    crashed = orrery.record([crash], status=-11)
    why = checked(orrery, expect, ("why", crashed), "reports#why", status=1)
    expect((why["category"], why["place"]["function"]), ("null_access", "main"), "the crash")
    checked(orrery, expect, ("show", "stack", crashed, "--at", "crash"), "stack")
    checked(orrery, expect, ("compare", recording, crashed), "reports#compare")
    checked(orrery, expect, ("ls",), "reports#ls")
    checked(orrery, expect, ("show", "file", program), "file")
    (orrery.home / "part.c").write_text("int one;\nint main(void) { return one; }\n")
    built = orrery.record(["gcc", "part.c", "-o", "part"])
    for words in ((), ("--at", "50%")):
        expect(len(checked(orrery, expect, ("show", "build", built, *words), "reports#build")["steps"]) > 0, True, "steps")
    number = orrery.rows(built, "SELECT artefact FROM artefact WHERE kind = 'object'")[0]["artefact"]
    checked(orrery, expect, ("show", "build", built, "--object", f"#{number}"), "reports#build_object")
    checked(orrery, expect, ("show", "build", built, "--link", "part"), "reports#build_link")
    seen = {command.split()[1] for command, _ in REPORTS if command.startswith("show ")} | {"build", "file"}
    expect(layers(orrery) - seen, set(), "layers without a checked document")
    doctor = subprocess.run([orrery.program, "doctor", "--json"], env=orrery.environment, capture_output=True, text=True).stdout
    root = schema.load("reports")
    expect(list(schema.problems(json.loads(doctor), root["$defs"]["doctor"], root)), [], "the schema of doctor")


CASES = {"table_examples": case_table_examples, "documents": case_documents}
