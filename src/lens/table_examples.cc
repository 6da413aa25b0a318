#include "lens/table_examples.h"

namespace orrery::lens {
namespace {

constexpr db::TableExample kExamples[] = {
    {"checked", "Which programs were checked", "SELECT process, program, heap, blocks FROM checked"},
    {"memory_error", "What was done wrong, and how far from its block",
     "SELECT kind, function, line, times, distance, relation, block_bytes FROM memory_error ORDER BY number"},
    {"undefined_value", "Where undefined values decided, and which blocks they came from",
     "SELECT kind, function, line, times, distance, block_bytes FROM undefined_value ORDER BY number"},
    {"leak", "Who lost most",
     "SELECT kind, function, line, count(*) AS blocks, sum(size_bytes) AS bytes FROM leak"
     " WHERE kind IN ('definite', 'indirect') GROUP BY 1, 2, 3 ORDER BY bytes DESC"},
    {"race_check", "Which programs were checked for races",
     "SELECT process, program, state, tasks FROM race_check"},
    {"data_race", "What was raced for, and where",
     "SELECT object, first_function, first_line, second_function, second_line, times FROM data_race"
     " ORDER BY number"},
    {"lock_order", "Which locks were taken in a circle, and where",
     "SELECT circle, held, wanted, task, function, line FROM lock_order ORDER BY circle, step"},
    {"lock_misuse", "What was done to locks that may not be done",
     "SELECT kind, lock, function, line, times FROM lock_misuse ORDER BY number"},
    {"process", "How long each process lived, and how it ended",
     "SELECT process, pid, command, (end_ns - start_ns) / 1e6 AS ms, end FROM process ORDER BY start_ns"},
    {"call", "The calls that failed, and how often",
     "SELECT name, result, count(*) AS times FROM call WHERE result BETWEEN -4095 AND -1"
     " GROUP BY name, result ORDER BY times DESC"},
    {"build_step", "What each phase of a build took",
     "SELECT phase, count(*) AS steps, sum(end_ns - start_ns) / 1e6 AS ms, max(peak_bytes) AS peak"
     " FROM build_step GROUP BY phase ORDER BY ms DESC"},
    {"artefact", "Which files a build made, and what became of them",
     "SELECT path, kind, size, fate, command FROM artefact JOIN build_step USING (step) ORDER BY written_ns"},
    {"build_input", "The files that most steps read",
     "SELECT path, count(DISTINCT step) AS steps, size FROM build_input GROUP BY path ORDER BY steps DESC"
     " LIMIT 10"},
    {"program", "What a start took until main",
     "SELECT path, linked, main_ticks - start_ticks AS ticks, main_instructions AS instructions,"
     " (main_ns - start_ns) / 1e6 AS ms FROM program"},
    {"load_step", "The dearest steps of a start",
     "SELECT step, object, instructions, time_ns / 1e3 AS us FROM load_step ORDER BY instructions DESC"
     " LIMIT 10"},
    {"load_place", "Where the parts of a process lay, and how many bits Linux would have chosen at random",
     "SELECT part, printf('%#x', address) AS address, bits, source FROM load_place"},
    {"load_vdso", "What the vDSO answered instead of the kernel",
     "SELECT function, sum(calls) AS calls FROM load_vdso GROUP BY function ORDER BY calls DESC"},
    {"link_object", "Who wanted each library, and which rule found it",
     "SELECT path, needed_by, rule, relative_relocations FROM link_object ORDER BY object"},
    {"link_search", "Where a library was looked for in vain",
     "SELECT name, path, rule, error FROM link_search WHERE NOT found ORDER BY number"},
    {"link_binding", "What was bound at its first call, and who called",
     "SELECT symbol, provider, coalesce(caller_line, caller_function) AS caller, cost_ticks FROM link_binding"
     " WHERE kind = 'lazy' AND after IS NOT NULL ORDER BY event, ticks"},
    {"link_lookup", "What the program asked for with dlsym",
     "SELECT symbol, scope, provider, caller_function FROM link_lookup ORDER BY event, ticks"},
    {"link_writable", "Slots that an attacker could still overwrite once all is relocated",
     "SELECT object, section, kind, slots FROM link_writable ORDER BY slots DESC"},
    {"link_interposition", "Whose definition won where several have one",
     "SELECT symbol, winner, loser, bindings FROM link_interposition ORDER BY bindings DESC"},
    {"link_trouble", "What was missing or shadowed, in words",
     "SELECT kind, subject, words FROM link_trouble"},
    {"process_state", "How the signal handlers and masks changed",
     "SELECT field, value, call, begin_ns / 1e6 AS ms FROM process_state WHERE field LIKE 'handler %' OR "
     "field LIKE 'mask %'"
     " ORDER BY number"},
    {"memory_map", "How much address space each meaning had at the end",
     "SELECT meaning, count(*) AS pieces, sum(end - start) AS bytes FROM memory_map WHERE end_event IS NULL"
     " GROUP BY meaning ORDER BY bytes DESC"},
    {"map_change", "Who grew or shrank the address space most often",
     "SELECT caller_function, call, count(*) AS changes FROM map_change GROUP BY caller_function, call"
     " ORDER BY changes DESC LIMIT 10"},
    {"thread_stack", "The stacks of the threads and their guards",
     "SELECT process, thread, printf('%#x', start) AS start, end - start AS bytes,"
     " guard_end - guard_start AS guard FROM thread_stack"},
    {"page", "How much was touched and written, by meaning",
     "SELECT meaning, count(*) * 4096 AS touched, sum(is_written) * 4096 AS written FROM page"
     " GROUP BY meaning ORDER BY touched DESC"},
    {"page_frame", "Who broke out of copy-on-write after a fork, and how many pages",
     "SELECT c.process, c.function, count(*) AS pages FROM page_frame c WHERE c.came = 'copied' AND EXISTS"
     " (SELECT 1 FROM page_frame o WHERE o.frame = c.from_frame AND o.process <> c.process)"
     " GROUP BY c.process, c.function ORDER BY pages DESC"},
    {"mapped_file", "Of which files a program mapped more than their size",
     "SELECT path, file_bytes, mapped_bytes FROM mapped_file ORDER BY mapped_bytes DESC"},
    {"open_file", "The files with the most traffic",
     "SELECT kind, name, bytes_read, bytes_written, waited_ns / 1e6 AS waited_ms FROM open_file"
     " ORDER BY bytes_read + bytes_written DESC LIMIT 10"},
    {"descriptor", "Descriptors that nobody closed",
     "SELECT descriptor.process, fd, name, origin FROM descriptor JOIN open_file USING (file)"
     " WHERE ending <> 'closed' ORDER BY descriptor.process, fd"},
    {"connection", "The connections and what went through them",
     "SELECT how, kind, peer, bytes_in, bytes_out, (closed_ns - connected_ns) / 1e6 AS ms FROM connection"
     " ORDER BY connected_ns"},
    {"task", "How much of their time the tasks ran, were ready and were blocked",
     "SELECT task, name, running_ns / 1e6 AS running, ready_ns / 1e6 AS ready, blocked_ns / 1e6 AS blocked,"
     " blocks, quanta, yields FROM task ORDER BY running_ns DESC"},
    {"task_stretch", "What tasks waited for",
     "SELECT task, reason, object, count(*) AS times, sum(end_ns - begin_ns) / 1e6 AS ms FROM task_stretch"
     " WHERE state = 'blocked' GROUP BY task, reason, object ORDER BY ms DESC"},
    {"wakeup", "Who woke whom",
     "SELECT by_task, task, how, count(*) AS times FROM wakeup GROUP BY by_task, task, how ORDER BY times "
     "DESC"},
    {"lock_contention", "The locks that were fought for",
     "SELECT name, taken_in, waits, total_ns / 1e6 AS ms, longest_ns / 1e6 AS longest FROM lock_contention"
     " ORDER BY total_ns DESC"},
    {"lock_wait", "The longest waits for a lock, with who had it",
     "SELECT task, owner, (end_ns - begin_ns) / 1e6 AS ms, stack FROM lock_wait ORDER BY ms DESC LIMIT 10"},
    {"request", "The slowest requests, with where their time went",
     "SELECT rank, peer, latency_ns / 1e6 AS ms, queue_ns / 1e6 AS queue, cpu_ns / 1e6 AS cpu,"
     " lock_ns / 1e6 AS lock, disk_ns / 1e6 AS disk, network_ns / 1e6 AS network FROM request ORDER BY rank"},
    {"server", "The latencies of a server",
     "SELECT process, requests, mean_ns / 1e6 AS mean, median_ns / 1e6 AS median, longest_ns / 1e6 AS longest"
     " FROM server"},
    {"heap", "What each program asked for, and had at most",
     "SELECT process, program, allocations, bytes, peak_bytes, live_blocks, live_bytes FROM heap"},
    {"heap_function", "Which allocators were called, and how often",
     "SELECT name, object, calls FROM heap_function WHERE calls > 0 ORDER BY calls DESC"},
    {"heap_node", "The calls that had most at the peak, with their places",
     "SELECT peak_bytes, peak_blocks, function, file, line FROM heap_node JOIN heap_place"
     " USING (process, program, pc) WHERE depth = 0 ORDER BY peak_bytes DESC LIMIT 10"},
    {"heap_place", "The objects whose code allocated",
     "SELECT object, count(DISTINCT pc) AS places FROM heap_place GROUP BY object ORDER BY places DESC"},
    {"heap_sample", "The heap over time",
     "SELECT time_ns / 1e6 AS ms, live_blocks, live_bytes FROM heap_sample ORDER BY time_ns"},
    {"heap_block", "What was left at the end, by size",
     "SELECT size_bytes, count(*) AS blocks FROM heap_block GROUP BY size_bytes ORDER BY blocks DESC LIMIT "
     "10"},
    {"heap_log", "How many allocations and releases there were, and what they take",
     "SELECT sum(entries) AS entries, sum(length(columns)) AS bytes FROM heap_log"},
    {"heap_growth", "What the heap got of the kernel, by system call",
     "SELECT call, count(*) AS calls, sum(max(mapped, 0)) AS got, sum(max(-mapped, 0)) AS given_back,"
     " sum(dropped) AS dropped FROM heap_growth GROUP BY call"},
    {"heap_held", "The ranges that the heap had at the end",
     "SELECT printf('%#x', start) AS start, end - start AS bytes, is_usable FROM heap_held"
     " WHERE end_event IS NULL ORDER BY start"},
    {"profile_function", "The functions that executed most, with all that they called",
     "SELECT name, object, instructions, calls, inclusive FROM profile_function ORDER BY instructions DESC"
     " LIMIT 10"},
    {"profile_line", "The lines that executed most",
     "SELECT file, line, sum(instructions) AS instructions FROM profile_line WHERE line IS NOT NULL"
     " GROUP BY file, line ORDER BY instructions DESC LIMIT 10"},
    {"profile_call", "Who called whom most often",
     "SELECT caller.name AS caller, callee.name AS callee, profile_call.calls FROM profile_call"
     " JOIN profile_function AS callee ON (callee.process, callee.program, callee.function) ="
     " (profile_call.process, profile_call.program, profile_call.callee)"
     " LEFT JOIN profile_function AS caller ON (caller.process, caller.program, caller.function) ="
     " (profile_call.process, profile_call.program, profile_call.caller)"
     " ORDER BY profile_call.calls DESC LIMIT 10"},
    {"cache", "The caches that were modelled", "SELECT program, d1, ll FROM cache"},
    {"cache_line", "The lines that go to memory most often",
     "SELECT file, line, sum(dll_read_misses) AS misses FROM cache_line WHERE line IS NOT NULL"
     " GROUP BY file, line ORDER BY misses DESC LIMIT 10"},
    {"cache_site", "What is accessed that goes to memory most often",
     "SELECT kind, coalesce(name, node) AS name, sum(dll_read_misses + dll_write_misses) AS misses"
     " FROM cache_site GROUP BY kind, name, node ORDER BY misses DESC LIMIT 10"},
    {"cache_field", "The members of structures that miss the first level most often",
     "SELECT type, member, offset, sum(d1_read_misses + d1_write_misses) AS misses FROM cache_field"
     " WHERE kind = 'type' GROUP BY type, member, offset ORDER BY misses DESC LIMIT 10"},
    {"collected", "Which lenses need not be asked again", "SELECT lens, version, event_count FROM collected"},
};

}  // namespace

std::span<const db::TableExample> table_examples() { return kExamples; }

}  // namespace orrery::lens
