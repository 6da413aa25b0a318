"""Writes recordings of process trees as docs/format.md has them: with a checksum and plain chunks of its own, so that the
commands are tested against the page and not against their own writer."""
import pathlib
import struct

from xxhash64 import xxh64

KINDS = {"start": 1, "syscall": 2, "signal": 8, "exec": 9, "exit": 10, "gap": 11, "fork": 14}


def summed(data):
    return data + struct.pack("<Q", xxh64(data))


VERSION = 3  # of the format: docs/format.md
HEADER_BYTES = 72


def strings(*words):
    return b"".join(word.encode() + b"\0" for word in words)


class Process:
    """The events of one process, each (kind, time, result, payload, detail)."""

    def __init__(self, number, pid):
        self.number, self.pid, self.events = number, pid, []

    def add(self, kind, time_ns, result=0, payload=b"", detail=0):
        number = len(self.events)
        padding = -len(payload) % 8
        header = struct.pack("<IHHQiIQQQqQQ", HEADER_BYTES + len(payload) + padding, KINDS[kind], detail, number, self.pid,
                             len(payload), number * 10, 0x1000, 0, result, time_ns, 0)
        self.events.append((time_ns, header + payload + bytes(padding)))
        return number

    def fork(self, time_ns, number, pid):
        """The child; it has begun."""
        event = self.add("fork", time_ns, pid, struct.pack("<IIi4x", number, 0, -1))
        child = Process(number, pid)
        child.add("start", time_ns + 1, 0, struct.pack("<IIQii", number, self.number, event, pid, self.pid))
        return child


def write_trace(path, processes, events_a_chunk=2):
    """The processes' chunks, interleaved; the offset of each."""
    trace = summed(b"orrery\r\n" + struct.pack("<IIQ32x", VERSION, 64, 1))
    chunks = []
    for process in processes:
        for first in range(0, len(process.events), events_a_chunk):
            part = process.events[first:first + events_a_chunk]
            chunks.append((part[-1][0], process.number, first, part))
    entries, places = b"", []
    for last_time, number, first, part in sorted(chunks, key=lambda chunk: chunk[:3]):
        raw = b"".join(event for _, event in part)
        entries += struct.pack("<QQQQQIIII", len(trace), first, part[0][0], last_time, first * 10, len(part), len(raw), number, 0)
        places.append((len(trace), number))
        trace += summed(b"OCHK" + struct.pack("<HHQIIIIQQQQQ", 0, 0, first, len(part), len(raw), len(raw), number,
                                              part[0][0], last_time, first * 10, xxh64(raw), xxh64(raw))) + raw
    index = len(trace)
    trace += summed(b"OIDX" + struct.pack("<IQ", len(places), xxh64(entries))) + entries
    trace += summed(struct.pack("<QQ", index, sum(len(process.events) for process in processes))) + b"orryEND\n"
    pathlib.Path(path).write_bytes(trace)
    return places
