"""The broken programs, each with its true cause: one row a program.

A row's columns: where it is from, its case, the category that `why` must give (or several, parted by |: the first is the best), and words
that the verdict must have, parted by ;. The place must be a line that the source marks `at: CASE` (`-`: there is none to point at).
`how`: "" it ends by itself; "hang" it does not, and is ended from outside.
"""
import collections

Row = collections.namedtuple("Row", "source case category words place how")


def rows(source, text, how=""):
    for line in filter(str.strip, text.splitlines()):
        case, category, *rest = (cell.strip() for cell in line.split(" / "))
        words = [word.strip() for word in (rest[0] if rest else "").split(";") if word.strip()]
        yield Row(source, case, category.split("|"), words, not (len(rest) > 1 and rest[1] == "-"), how)


FAULTS = """
null_write / null_access / wrote through a null pointer
null_field / null_access / read through a null pointer
end_of_list / null_access / read through a null pointer
null_to_libc / null_access / read through a null pointer
wild_text / wild_pointer|unmapped_memory / text
wild_bits / wild_pointer / 0xdeadbeefcafebabe
far_away / unmapped_memory / 0x123456789000
small_number / null_access|unmapped_memory / 0x1000
after_unmapping / freed_map / munmap
guard_page / no_access / wrote to; PROT_NONE
write_literal / write_to_read_only / wrote to read-only memory
write_protected / write_to_read_only / wrote to read-only memory
write_code / write_to_read_only / code
null_call / null_call / null pointer
jump_to_data / bad_jump / data
jump_to_nowhere / bad_jump / 0x3000000000
file_cut / file_truncated / behind its end
recursion / stack_overflow / deeper
huge_array / stack_overflow / 
mutual_recursion / stack_overflow / ping|pong
thread_recursion / stack_overflow / deeper / -
division / arithmetic / by zero
quotient_too_large / arithmetic / does not fit
unreachable / illegal_instruction / compilers
breakpoint / trap / breakpoint
off_the_end / freed_map|unmapped_memory / munmap|behind
in_a_callback / null_access / null
freed_pointer / wild_pointer / 5b5b5b5b5b5b5b5b; 0x5b
in_a_thread / null_access / wrote
index_too_large / unmapped_memory|no_access|write_to_read_only / 
privileged / privileged / privileged
"""

ABORTS = """
plain / abort / abort()
assertion / assertion / count > 0
twice / double_free / a second time|twice
twice_large / double_free / a second time|twice
inside / invalid_free / no block begins
of_the_stack / invalid_free / no block begins
overrun / heap_overrun / right behind a block of 24 bytes
underrun / heap_overrun / before a block of 2000 bytes
use_after_free / use_after_free / freed
top_overrun / heap_overrun / behind a block of 24 bytes
wrong_realloc / invalid_free / realloc
smash / stack_smash / local variable / -
smash_by_callee / stack_smash / local variable / -
fortified / buffer_overflow|stack_smash / strcpy|local variable / -
raised / signal|abort / 
terminated / signal / itself
"""

EXCEPTIONS = """
told / uncaught_exception / std::runtime_error; the disk of bank 7 is full
own_type / uncaught_exception / OrderError
number / uncaught_exception / int
out_of_range / uncaught_exception / std::out_of_range
no_such_key / uncaught_exception / std::out_of_range
not_a_number / uncaught_exception / std::invalid_argument; stoi
too_much_memory / uncaught_exception / std::
in_noexcept / uncaught_exception / std::logic_error; from within
in_destructor / uncaught_exception / cannot close; destructor; ~Closes
nothing_to_rethrow / uncaught_exception / std::terminate
not_joined / uncaught_exception / std::thread / -
of_a_thread / uncaught_exception / std::domain_error; worker 3
not_there / uncaught_exception / filesystem_error; /no/such/file.txt
empty_function / uncaught_exception / std::bad_function_call
wrong_variant / uncaught_exception / std::bad_variant_access
pure_virtual / uncaught_exception|abort / pure virtual
empty_pointer / null_access / null
deleted_twice / double_free|use_after_free / a second time|freed
unlocks_twice / uncaught_exception / std::system_error
"""

FAILURES = """
no_config / exit_status / openat; /etc/orrery-no-such.conf; ENOENT
no_config_quietly / exit_status / openat; /var/lib/none/state.db; ENOENT
many_places / exit_status / app.ini; ENOENT
disk_full / no_space / write; ENOSPC; /dev/full
disk_full_stdio / no_space / ENOSPC; /dev/full
refused / exit_status / connect; ECONNREFUSED; 127.0.0.1
port_taken / exit_status / bind; EADDRINUSE
directory_there / exit_status / mkdir; /usr; EEXIST
is_a_directory / exit_status / EISDIR; /usr/bin
not_a_directory / exit_status / ENOTDIR; /etc/passwd
descriptors_leak / descriptors_used_up / EMFILE; 64; /dev/null
pipes_leak / descriptors_used_up / EMFILE; 50; pipe
no_memory / memory_used_up / ENOMEM; RLIMIT_AS
no_memory_crash / null_access / ENOMEM
threads_no_room / memory_used_up / ENOMEM|EAGAIN; RLIMIT_AS
broken_pipe / broken_pipe|signal / nobody reads
file_too_large / signal|no_space / ulimit -f
alarm_rings / signal / timer
program_missing / exit_status|missing_program / execve; /usr/bin/no-such-helper
child_crashed / null_access / wrote through a null pointer
no_plugin / exit_status|missing_library / /usr/lib/none/plugin.so
symbol_is_null / null_call / null
bad_words / exit_status / expected a number
says_nothing / exit_status / 9
file_unchecked / null_access / /no/such/words.txt
killed_self / killed|signal / itself
killed_by_child / killed / kill(; SIGKILL; process; in the recording
cpu_time / killed|signal / ulimit -t / -
killed_after_growing / killed|signal|busy_loop / 192 MiB of them in killed_after_growing / -
symbolic_loop / exit_status / ELOOP
"""

HANGS = """
deadlock / deadlock / first; second
deadlock_alone / deadlock / first; itself|holds
deadlock_of_three / deadlock / first; second; third
lock_never_released / lock_abandoned / first; ended
writer_twice / deadlock|waits_for_lock / table
writer_forgets / waits_for_thread|deadlock|waits_for_lock / table
lost_wakeup / lost_wakeup / filled
never_signalled / lost_wakeup / filled
never_posted / lost_wakeup / permits
too_few / lost_wakeup / meeting; barrier
lock_held_over_read / waits_for_peer / pipe; first
own_pipe / waits_for_peer / pipe; itself|own
both_read / waits_for_peer|deadlock / pipe; process
pipe_full / waits_for_peer / pipe; full|write
child_sleeps / waits_for_child|waits_for_signal / signal; process
nobody_connects / waits_for_peer / accept|connect
peer_is_silent / waits_for_peer / unix
polls_for_ever / waits_for_peer / poll
epoll_empty / waits_for_peer / epoll
busy / busy_loop / compute
busy_threads / busy_loop|waits_for_thread / spins
busy_yielding / busy_loop / sched_yield
busy_reading / busy_loop / read; EAGAIN
locked_file / waits_for_file_lock / flock
waits_for_signal / waits_for_signal / SIGUSR1|signal
sleeps / sleeps / 3600
retries / busy_loop|retries / /run/none/server.sock; ENOENT
"""

SLOW = """
lock_over_sleep / slow_lock / accounts; which held it
one_after_the_other / slow_lock / journal; 3 times
lock_over_a_read / slow_lock / accounts; in read
readers_keep_the_writer_out / slow_lock / table; once, by the main thread
every_worker_waits / slow_lock / journal; 5 times
syncs_each_line / slow_disk / journal-; fsync
sleeps_between / slow_sleep / 15 times
nobody_answers / slow_timeouts / recvfrom; EAGAIN; 4 times
polls_in_vain / slow_timeouts / poll(; 5 times
waits_in_vain / slow_timeouts / ETIMEDOUT; 3 times
starts_a_slow_one / slow_child / sleep 1.4
peer_is_slow / slow_peer|slow_child / peer_is_slow; clock_nanosleep
quadratic / slow_computing / counts_letters
computes / slow_computing / sums
child_computes / slow_child / sums
cpu_under_a_short_lock / slow_computing / mixes
gives_up_in_the_end / exit_status / no answer; time-outs were over, 3 times
quick / clean / exit status 0 / -
bits_of_all / clean / exit status 0 / -
side_by_side / clean|slow_computing / exit status 0 / -
"""

STANDING = """
takes_twice / deadlock / accounts; itself|holds
crosswise / deadlock / accounts; journal
never_notified / lost_wakeup / arrived
never_set / lost_wakeup|waits_for_thread / word
read_then_write / deadlock|waits_for_lock / lock
workers_wait_for_jobs / pool_blocked / all 4 of them; job
workers_ask_the_silent / pool_blocked / 4 threads; pipe
workers_are_idle / waits_for_peer / pipe
"""

SLOWNESS = """
lock_over_sleep / slow_lock / accounts; which held it
always_retaken / slow_lock / accounts; taken again
given_to_others / clean / exit status 0 / -
writer_keeps_the_readers_out / slow_lock / table; which held it
nobody_notifies / slow_timeouts / ETIMEDOUT; 4 times
sleeps_between / slow_sleep / 12 times
syncs_each_line / slow_disk / journal-; fsync
compares_all / slow_computing / count_pairs
quick / clean / exit status 0 / -
"""

# A lock of Python's is a semaphore: the system is not told who holds it.
SLOW_PYTHON = """
lock_over_sleep / slow_sleep / the main thread waited for the semaphore / -
sleeps_between / slow_sleep / 12 times / -
nothing_comes / slow_timeouts / ETIMEDOUT; 4 times / -
starts_a_slow_one / slow_child / sleep 1.4 / -
syncs_each_line / slow_disk / journal-; fsync / -
compares_all / slow_computing / computed / -
quick / clean / exit status 0 / -
"""

SANITIZED = """
heap_overflow / sanitizer / heap-buffer-overflow
freed / sanitizer / heap-use-after-free
stack_overflow / sanitizer / stack-buffer-overflow
overflows / sanitizer / signed integer overflow
shift / sanitizer / shift
"""

PYTHON = """
null_write / null_access / wrote through a null pointer
fatal / abort / lost its state
bad_item / null_access / null
raises / panic|exit_status / ValueError; row 7 has no key / -
no_file / exit_status|panic / /no/such/table.csv / -
no_key / panic|exit_status / KeyError; colour / -
leaves / exit_status / the input is empty / -
"""

RUST = """
index / panic|exit_status / index out of bounds
unwrap / panic|exit_status / None
borrowed / panic|exit_status / already
no_file / panic|exit_status / /no/such/settings.toml
null_read / null_access|panic / null
recursion / stack_overflow / deeper
leaves / exit_status / 3
"""

GO = """
nil_pointer / panic|null_access / nil pointer
index / panic|exit_status / index out of range
deadlock / deadlock|panic / all goroutines are asleep / -
lock_twice / deadlock|panic / all goroutines are asleep / -
panics / panic|exit_status / no route to the warehouse
no_file / exit_status / /no/such/routes.json; ENOENT
"""

LOADER = """
missing_library / missing_library / libgone.so
missing_of_library / missing_library / libdeep.so; libgone_user.so
missing_symbol / missing_symbol / gone_value
missing_version / missing_symbol / GONE_2
missing_interpreter / missing_interpreter / /opt/none/ld.so
not_marked / not_executable / not marked
directory / not_executable / is a directory
empty / not_executable / empty
words / not_executable / neither
other_machine / not_executable / AArch64|another|machine
script_windows / missing_interpreter / carriage return
script_no_interpreter / missing_interpreter / /opt/none/perl
"""

# Known bugs of real programs: those of Debian 12 itself, and two that were put back into their Debian sources (real.py).
REAL = """
jq_implode / assertion / codepoint / -
make_recursion / stack_overflow / handle_function / -
sed_parentheses / stack_overflow / calls itself / -
busybox_recursion / stack_overflow / overflowed / -
python_bogus_code / null_access|unmapped_memory|wild_pointer / address / -
patch_after_newline / assertion / outstate->after_newline / -
unzip_method / buffer_overflow|exit_status / buffer overflow detected / -
"""

ROWS = [*rows("faults.c", FAULTS), *rows("aborts.c", ABORTS), *rows("exceptions.cc", EXCEPTIONS), *rows("failures.c", FAILURES),
        *rows("hangs.c", HANGS, "hang"), *rows("standing.cc", STANDING, "hang"), *rows("slow.c", SLOW), *rows("slowness.cc", SLOWNESS), *rows("slow.py", SLOW_PYTHON),
        *rows("sanitized.c", SANITIZED),
        *rows("uses_extension.py", PYTHON), *rows("broken.rs", RUST), *rows("broken.go", GO), *rows("loader", LOADER)]
REAL_ROWS = list(rows("real", REAL))

# What says less than the category wanted, but nothing false.
NEUTRAL = {"abort", "signal", "exit_status", "recording_cut", "clean", "killed", "interrupted"}

# (source, case, level): why it is not named right.
KNOWN = {}

# (source, case, level): why there is no such program.
LEFT_OUT = {
    ("exceptions.cc", "pure_virtual", "O2"): "the compiler knows which function is called, and calls that",
}

# What the tests of every build ask: one or two of each kind.
SHORT = {("faults.c", case) for case in ("null_field", "wild_text", "after_unmapping", "write_literal", "null_call", "recursion", "privileged")}
SHORT |= {("aborts.c", case) for case in ("assertion", "twice", "overrun", "of_the_stack")}
SHORT |= {("exceptions.cc", case) for case in ("told", "out_of_range")}
SHORT |= {("failures.c", case) for case in ("no_config", "disk_full", "descriptors_leak", "no_memory", "broken_pipe", "child_crashed", "file_unchecked")}
SHORT |= {("hangs.c", case) for case in ("deadlock", "lock_never_released", "never_signalled", "own_pipe", "child_sleeps", "busy", "retries")}
SHORT |= {("uses_extension.py", "raises")}
