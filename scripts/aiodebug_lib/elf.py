# SPDX-License-Identifier: MIT
"""As much of ELF as is needed: can the shim be preloaded into this program, and which build is this file.

Nothing here runs the program, and a file that is damaged in any way is "no ELF file".
"""

import os
import struct

PT_DYNAMIC, PT_INTERP, PT_NOTE = 2, 3, 4
NT_GNU_BUILD_ID = 3
MACHINES = {3: "i386", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S/390", 40: "ARM", 62: "x86-64",
            183: "AArch64", 243: "RISC-V", 258: "LoongArch"}


class NotElf(Exception):
    pass


class Elf:
    """bits: 32 or 64; machine: a number; interpreter: the dynamic loader's path, None for a static program or a
    library; build_id: in hexadecimal, or None."""

    def __init__(self, path):
        with open(path, "rb") as file:
            try:
                self.read(file)
            except (struct.error, ValueError, OverflowError, OSError) as error:
                raise NotElf(str(error)) from None

    def read(self, file):
        start = file.read(64)
        if start[:4] != b"\x7fELF" or len(start) < 52:
            raise NotElf("no ELF file")
        self.bits = {1: 32, 2: 64}.get(start[4])
        order = {1: "<", 2: ">"}.get(start[5])
        if not self.bits or not order:
            raise NotElf("an ELF file of no known kind")
        self.order = order
        self.type, self.machine = struct.unpack_from(order + "HH", start, 16)
        if self.bits == 64:
            at, = struct.unpack_from(order + "Q", start, 32)
            size, count = struct.unpack_from(order + "HH", start, 54)
        else:
            at, = struct.unpack_from(order + "I", start, 28)
            size, count = struct.unpack_from(order + "HH", start, 42)
        self.interpreter = self.build_id = None
        self.dynamic = False
        file.seek(at)
        table = file.read(size * count)
        for n in range(count):
            self.segment(file, table[n * size:(n + 1) * size])

    def segment(self, file, header):
        if self.bits == 64:
            kind, _, offset, _, _, length = struct.unpack_from(self.order + "IIQQQQ", header)
        else:
            kind, offset, _, _, length = struct.unpack_from(self.order + "IIIII", header)
        if kind == PT_DYNAMIC:
            self.dynamic = True
        elif kind == PT_INTERP:
            file.seek(offset)
            self.interpreter = file.read(min(length, 4096)).rstrip(b"\0").decode("utf-8", "replace")
        elif kind == PT_NOTE and not self.build_id:
            file.seek(offset)
            self.notes(file.read(min(length, 1 << 16)))

    def notes(self, data):
        at = 0
        while at + 12 <= len(data):
            name, size, kind = struct.unpack_from(self.order + "III", data, at)
            body = at + 12 + (name + 3 & ~3)
            if kind == NT_GNU_BUILD_ID and data[at + 12:at + 12 + name] == b"GNU\0":
                self.build_id = data[body:body + size].hex()
                return
            at = body + (size + 3 & ~3)

    def architecture(self):
        return "%d-bit %s" % (self.bits, MACHINES.get(self.machine, "processor %d" % self.machine))


def build_id(path):
    """In hexadecimal; None: no such file, no ELF file, none in it."""
    try:
        return Elf(path).build_id
    except (OSError, NotElf):
        return None


# ----------------------------------------------------------------------------------------------------- programs

def find_program(name, path=None):
    """As execvp() finds it; None: nowhere."""
    if "/" in name:
        return name if os.path.exists(name) else None
    for directory in (path if path is not None else os.environ.get("PATH") or os.defpath).split(":"):
        candidate = os.path.join(directory or ".", name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    return None


def interpreter_of(path):
    """What runs this script: a path; None: it is no script. A text without #! is run by the shell, as execvp()
    and every shell do."""
    with open(path, "rb") as file:
        start = file.read(256)
    if start[:4] == b"\x7fELF" or not start:
        return None
    if start[:2] != b"#!":
        return "/bin/sh" if b"\0" not in start else None
    words = start[2:].split(b"\n", 1)[0].decode("utf-8", "replace").split()
    if not words:
        return "/bin/sh"
    if os.path.basename(words[0]) == "env":
        rest = [w for w in words[1:] if not w.startswith("-") and "=" not in w]
        found = find_program(rest[0]) if rest else None
        return found or words[0]
    return words[0]


def binary_of(path):
    """The program that the kernel will run for this file: itself, or its interpreter, or that one's."""
    for _ in range(5):  # the kernel allows as many
        inner = interpreter_of(path)
        if inner is None:
            return path
        path = inner
    return path
