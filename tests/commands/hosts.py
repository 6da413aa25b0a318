"""Hosts as a recorder may meet them: small disks, tight limits, filters, foreign programs."""
import ctypes
import os
import struct
import subprocess

from xxhash64 import xxh64

SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt


class Mount:
    """A tmpfs for a while; root's."""

    def __init__(self, path, options):
        self.path, self.options = path, options

    def __enter__(self):
        self.path.mkdir(parents=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", self.options, "tmpfs", str(self.path)], capture_output=True)
        if done.returncode != 0:
            print(f"skipped: a tmpfs cannot be mounted ({done.stderr.decode().strip()}); run as root")
            raise SystemExit(SKIPPED)
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.path)])


def devices(name):
    """To be called in a child: a /dev of its own that has `name`, which behaves as /dev/null."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x20000) != 0 or libc.mount(b"none", b"/", None, 0x44000, None) != 0:  # CLONE_NEWNS; private, all of it
        os._exit(SKIPPED)
    if libc.mount(b"tmpfs", b"/dev", b"tmpfs", 0, None) != 0:
        os._exit(SKIPPED)
    for device, minor in (("null", 3), ("zero", 5), ("urandom", 9), (name, 3)):
        os.makedirs(os.path.dirname("/dev/" + device), exist_ok=True)
        os.mknod("/dev/" + device, 0o20666, os.makedev(1, minor))


def elf_of_other_machine(path):
    """A program of this host that says it is AArch64's."""
    image = bytearray(open("/bin/true", "rb").read())
    image[18:20] = struct.pack("<H", 183)
    write_program(path, image)


def elf_32(path):
    """_start: exit(0), for i386."""
    header = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<8I", 1, 0, 0x8048000, 0x8048000, 0x60, 0x60, 5, 0x1000)
    write_program(path, header + segment + b"\x31\xdb\x31\xc0\x40\xcd\x80")


def write_program(path, image):
    path.write_bytes(image)
    path.chmod(0o755)


def change_launch(recording, change):
    """Has `change(block)` alter a recording's launch block, and makes its checksum right again."""
    path = recording / "launch"
    file = bytearray(path.read_bytes())
    block = file[32:]
    expected = struct.unpack_from("<Q", file, 24)[0]
    if xxh64(bytes(block)) != expected:
        raise AssertionError("the launch block's checksum is another")
    change(block)
    struct.pack_into("<Q", file, 24, xxh64(bytes(block)))
    path.unlink()
    path.write_bytes(bytes(file)[:32] + bytes(block))


def deny(*numbers):
    """To be called in a child: these system calls give EPERM from now on (seccomp_data: number at 0, arch at 4)."""
    program = [(0x20, 0, 0, 0)]
    for number in numbers:
        program += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | 1)]
    program.append((0x06, 0, 0, 0x7fff0000))
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    filter_program = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, filter_program, 0, 0) != 0:
        os._exit(SKIPPED)
