"""`--at`: every kind of instant, in every layer that has a state at one."""
import json
import re

import programs

# Threads that sleep with a lock in hand, so that for most of the time nobody runs; a child; a crash.
PROGRAM = r"""
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void* volatile kept;

__attribute__((noinline)) void step(int number) { kept = malloc((size_t)number + 1); }

static void* work(void* unused) {
  for (int i = 0; i < 10; ++i) {
    pthread_mutex_lock(&lock);
    step(i);
    usleep(2000);
    pthread_mutex_unlock(&lock);
  }
  return unused;
}

int main(void) {
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) pthread_create(&threads[i], 0, work, 0);
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], 0);
  if (fork() == 0) {
    usleep(5000);
    _exit(0);
  }
  wait(0);
  return *(volatile int*)8;
}
"""

LAYERS = ("process", "memory", "pages", "stack", "heap", "io", "sched", "cpu", "link", "load", "build")
# Nothing has happened there yet that the layer could show.
EMPTY = {("heap", "start"), ("heap", "main")}


def shown(orrery, recording, layer, word):
    """What stands in the first line of the report: time, event, task and ticks."""
    text = orrery.run("show", layer, recording, "--at", word)
    found = re.search(r"^at ([\d.]+) s: event (\d+) of process #(\d+), task (\d+), tick (\d+)$", text, re.M)
    return found and (float(found[1]), *(int(each) for each in found.groups()[1:]))


def case_instants(orrery, expect):
    program = programs.build(orrery.home, "instants", PROGRAM, "-g")
    recording = orrery.record([program], status=-11)
    last = orrery.rows(recording, "SELECT max(event) AS event FROM call WHERE process = 0")[0]["event"]
    end_ns = orrery.rows(recording, "SELECT end_ns FROM process WHERE process = 0")[0]["end_ns"]
    words = (last, f"{last}+1", f"{end_ns - 2000}ns", f"{end_ns * 9 // 10 / 1e6:.4f}ms", f"{end_ns * 0.95e-9:.6f}s", "97%", "93.5%", "start", "main", "end", "crash", "step", "step:15")
    for word in words:
        seen = {}
        for layer in LAYERS:
            if (layer, word) in EMPTY:
                continue
            seen[layer] = shown(orrery, recording, layer, word)
        expect(None in seen.values(), False, f"reports that do not say where they are: {seen}")
        expect(len(set(seen.values())), 1, f"where {word} is: {seen}")
    check_spans(orrery, expect, recording, words)
    check_places(orrery, expect, recording, end_ns)


def span_of(orrery, recording, layer, *words):
    """Where the span begins and ends, and how many instructions it has."""
    text = orrery.run("show", layer, recording, "-p", "#0", *words)
    place = r"at ([\d.]+) s: event (\d+) of process #(\d+), task (\d+), tick (\d+)$"
    ends = [re.search(rf"^{word} {place}", text, re.M) for word in ("from", "to")]
    expect_both = all(ends)
    found = json.loads(orrery.run("show", layer, recording, "-p", "#0", *words, "--json"))
    instructions = sum(row["instructions"] for program in found["programs"] for row in program["functions"])
    return [(float(end[1]), *(int(each) for each in end.groups()[1:])) for end in ends] if expect_both else text, instructions


def check_spans(orrery, expect, recording, words):
    """A profile and the caches of a span: it lies where the other layers say, and two spans that meet have what the whole has."""
    for layer in ("profile", "cache"):
        whole = json.loads(orrery.run("show", layer, recording, "-p", "#0", "--json"))
        instructions = sum(row["instructions"] for program in whole["programs"] for row in program["functions"])
        for word in words if layer == "profile" else (words[0], "93.5%", "step:15"):
            here = shown(orrery, recording, "process", word)
            before, first = span_of(orrery, recording, layer, "--at", word)
            expect(span_of(orrery, recording, layer, "--to", word), (before, first), f"--to and --at {word}")
            behind, rest = span_of(orrery, recording, layer, "--from", word, "--to", "end")
            expect((before[1], behind[0]), (here, here), f"where {word} is for {layer}")
            expect(first + rest, instructions, f"instructions up to {word} and from there")


def check_places(orrery, expect, recording, end_ns):
    at = {word: shown(orrery, recording, "cpu", word) for word in ("start", "main", "step", "step:15", "20%", "80%", "end", "crash")}
    order = ("start", "main", "step", "step:15", "end")
    expect([word for word in order], sorted(order, key=lambda word: at[word][1:2] + at[word][0:1]), f"the order of the instants: {at}")
    expect(at["end"][1], at["crash"][1], "the crash is the end")
    expect(abs(at["20%"][0] - end_ns * 0.2e-9) < 1e-5, True, f"20% of {end_ns} ns: {at['20%']}")
    for word, function in (("main", "main"), ("step:15", "step"), ("crash", "main"), ("start", "_start")):
        text = orrery.run("show", "stack", recording, "--at", word)
        inner = re.search(r" runs[^\n]*\n +0 +(\w+)", text)
        expect(inner and inner[1], function, f"the innermost frame at {word}: {text}")
    # Whatever the time, a replay comes there: also while everybody waits.
    for percent in range(1, 100, 7):
        where = shown(orrery, recording, "cpu", f"{percent}%")
        expect(where and abs(where[0] - end_ns * percent * 1e-11) < 1e-5, True, f"{percent}%: {where}")


CASES = {"instants": case_instants}
