"""Run by gdb: reads cores, and writes what it finds in each as a line of JSON. CORES_JOB names a file of
[program, core] pairs; the answers go to CORES_OUT."""
import json
import os

import gdb

KINDS = {gdb.INLINE_FRAME: "inline", gdb.SIGTRAMP_FRAME: "signal", gdb.TAILCALL_FRAME: "tail"}


def variables_of(frame):
    found = []
    frame.select()  # the length of a variable array is looked up in the selected frame
    try:
        block = frame.block()
    except RuntimeError:
        return None
    while block is not None and not (block.is_global or block.is_static):
        for symbol in block:
            is_label = symbol.type is not None and symbol.type.name == "__CORE_ADDR"  # what gdb takes for a label's type
            is_enumerator = symbol.is_constant and symbol.type is not None and symbol.type.code == gdb.TYPE_CODE_ENUM
            if (symbol.is_argument or symbol.is_variable or symbol.is_constant) and not is_label and not is_enumerator:
                try:
                    text = symbol.value(frame).format_string(symbols=False, max_elements=200, repeat_threshold=10, static_members=False,
                                                             raw=True, pretty_structs=False, pretty_arrays=False)
                except (gdb.error, RuntimeError) as error:
                    text = f"<error: {error}>"
                found.append([symbol.name, bool(symbol.is_argument), text])
        if block.function is not None:
            return found
        block = block.superblock
    return found


def frames_of(with_variables):
    frames, frame = [], gdb.newest_frame()
    while frame is not None and len(frames) < 3000:
        frames.append({"pc": frame.pc(), "name": frame.name(), "kind": KINDS.get(frame.type(), "normal"),
                       "variables": variables_of(frame) if with_variables and len(frames) < 40 else None})
        try:
            frame = frame.older()
        except gdb.error as error:
            frames.append({"error": str(error)})
            break
    return frames


def main():
    for setting in ("pagination off", "backtrace past-main on", "auto-solib-add on", "print entry-values no",
                    "print null-stop on", "print symbol off", "debuginfod enabled off", "auto-load libthread-db off"):
        gdb.execute(f"set {setting}")
    jobs = json.load(open(os.environ["CORES_JOB"], encoding="utf-8"))
    with open(os.environ["CORES_OUT"], "w", encoding="utf-8") as out:
        loaded = None
        for program, core in jobs:
            if program != loaded:
                gdb.execute(f"file {program}", to_string=True)
                loaded = program
            gdb.execute(f"core-file {core}", to_string=True)
            threads = {}
            for thread in gdb.selected_inferior().threads():
                thread.switch()
                threads[thread.ptid[1]] = frames_of(True)
            out.write(json.dumps({"core": core, "threads": threads}) + "\n")


main()
