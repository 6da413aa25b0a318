"""Writes recordings of process trees as docs/format.md has them: with its own XXH64 and plain chunks, so that the
commands are tested against the page and not against their own writer."""
import pathlib
import struct

MASK = (1 << 64) - 1
PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
KINDS = {"start": 1, "syscall": 2, "signal": 8, "exec": 9, "exit": 10, "gap": 11, "fork": 14}


def rotate(value, bits):
    return (value << bits | value >> (64 - bits)) & MASK


def mix(accumulator, lane):
    return rotate((accumulator + lane * PRIMES[1]) & MASK, 31) * PRIMES[0] & MASK


def xxh64(data):
    """xxHash's 64-bit hash with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md)."""
    at = 0
    if len(data) >= 32:
        lanes = [(PRIMES[0] + PRIMES[1]) & MASK, PRIMES[1], 0, -PRIMES[0] & MASK]
        while at + 32 <= len(data):
            lanes = [mix(lane, word) for lane, word in zip(lanes, struct.unpack_from("<4Q", data, at))]
            at += 32
        value = sum(rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            value = ((value ^ mix(0, lane)) * PRIMES[0] + PRIMES[3]) & MASK
    else:
        value = PRIMES[4]
    value = (value + len(data)) & MASK
    while at + 8 <= len(data):
        value ^= mix(0, struct.unpack_from("<Q", data, at)[0])
        value = (rotate(value, 27) * PRIMES[0] + PRIMES[3]) & MASK
        at += 8
    if at + 4 <= len(data):
        value ^= struct.unpack_from("<I", data, at)[0] * PRIMES[0] & MASK
        value = (rotate(value, 23) * PRIMES[1] + PRIMES[2]) & MASK
        at += 4
    for byte in data[at:]:
        value = rotate(value ^ byte * PRIMES[4] & MASK, 11) * PRIMES[0] & MASK
    value = (value ^ value >> 33) * PRIMES[1] & MASK
    value = (value ^ value >> 29) * PRIMES[2] & MASK
    return value ^ value >> 32


def summed(data):
    return data + struct.pack("<Q", xxh64(data))


def strings(*words):
    return b"".join(word.encode() + b"\0" for word in words)


class Process:
    """The events of one process, each (kind, time, result, payload, detail)."""

    def __init__(self, number, pid):
        self.number, self.pid, self.events = number, pid, []

    def add(self, kind, time_ns, result=0, payload=b"", detail=0):
        number = len(self.events)
        padding = -len(payload) % 8
        header = struct.pack("<IHHQiIQQQqQ", 64 + len(payload) + padding, KINDS[kind], detail, number, self.pid,
                             len(payload), number * 10, 0x1000, 0, result, time_ns)
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
    trace = summed(b"orrery\r\n" + struct.pack("<IIQ32x", 2, 64, 1))
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
