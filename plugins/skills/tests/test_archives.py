"""Promise: a hostile archive costs little, writes nothing, and is refused with its reason."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_skills.store.limits import LIMITS, MIB, BadSkill
from routeiq_skills.uploads.form import Form
from routeiq_skills.uploads.reading import skill_in
from routeiq_skills.uploads.unpacking import unzipped

from .writing import skill_md, zip_of

GOOD = {"pdf/SKILL.md": skill_md("pdf")}


def bomb(size: int, entries: int = 1) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number in range(entries):
            with archive.open(f"pdf/{number}", "w", force_zip64=False) as entry:
                for _ in range(size // MIB):
                    entry.write(bytes(MIB))
    return packed.getvalue()


def lying(data: bytes, size: int) -> bytes:
    """The archive of one entry, which says to unpack to `size`."""
    central = data.index(b"PK\x01\x02")
    changed = bytearray(data)
    struct.pack_into("<I", changed, 22, size)
    struct.pack_into("<I", changed, central + 24, size)
    return bytes(changed)


def encrypted(data: bytes) -> bytes:
    central = data.index(b"PK\x01\x02")
    changed = bytearray(data)
    changed[6] |= 1
    changed[central + 8] |= 1
    return bytes(changed)


def overlapping(copies: int) -> bytes:
    """Entries that all are one and the same file, of a MiB of zeros."""
    name, plain = b"pdf/a", bytes(MIB)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(plain) + deflate.flush()
    crc = zlib.crc32(plain)
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, crc, len(body), MIB, len(name), 0) + name + body
    central = b"".join(
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, crc, len(body), MIB, 5, 0, 0, 0, 0, 0, 0)
        + b"pdf/%c" % (97 + number)
        for number in range(copies)
    )
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, copies, copies, len(central), len(local), 0)
    return local + central + end


def twice() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("pdf/SKILL.md", skill_md("pdf"))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("pdf/SKILL.md", b"other")
    return packed.getvalue()


def crowded(count: int) -> bytes:
    """An archive whose end claims one entry less than a thousand, and whose list is as long as its size says."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(count):
            archive.writestr(f"pdf/{number}", b"")
    return packed.getvalue()


HOSTILE = {
    "slip": (zip_of({**GOOD, "../../etc/cron.d/x": b""}), "'..'"),
    "slip within": (zip_of({**GOOD, "pdf/../../x": b""}), "'..'"),
    "absolute": (zip_of({**GOOD, "/etc/x": b""}), "absolute"),
    "backslash": (zip_of({**GOOD, "pdf\\..\\x": b""}), "backslash"),
    "drive": (zip_of({**GOOD, "C:/x": b""}), "colon"),
    "symlink": (zip_of({**GOOD, "pdf/l": b"/etc/passwd"}, modes={"pdf/l": 0o120777}), "symbolic link"),
    "symlinked folder": (zip_of({**GOOD, "pdf/l/": b"/etc"}, modes={"pdf/l/": 0o120777}), "symbolic link"),
    "device": (zip_of({**GOOD, "pdf/d": b""}, modes={"pdf/d": 0o020644}), "no plain file"),
    "pipe": (zip_of({**GOOD, "pdf/p": b""}, modes={"pdf/p": 0o010644}), "no plain file"),
    "case": (zip_of({**GOOD, "pdf/skill.md": b""}), "case"),
    "hidden": (zip_of({**GOOD, "pdf/.ssh/authorized_keys": b""}), "hidden"),
    "bomb": (bomb(64 * MIB), "more than"),
    "bomb of many": (bomb(4 * MIB, 8), "times its size"),
    "overlapping": (overlapping(20), ""),
    "lying, short": (lying(zip_of({"pdf/SKILL.md": bytes(300)}), 10), ""),
    "lying, long": (lying(zip_of({"pdf/SKILL.md": bytes(300)}), 5000), ""),
    "encrypted": (encrypted(zip_of(GOOD)), "encrypted"),
    "twice": (twice(), "twice"),
    "crowded": (crowded(1025), "entries"),
    "crowded with files": (crowded(LIMITS.files + 1), "files"),
    "empty": (zip_of({}), "one folder"),
    "cut": (zip_of(GOOD)[:-30], ""),
    "end alone": (b"PK\x05\x06" + bytes(10), ""),
    "no archive": (b"PK\x03\x04" + b"x" * 100, ""),
    "quoted": (zip_of({**GOOD, "pdf/a\0b": b""}).replace(b"pdf/a", b"pdf/\0"), ""),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_archive_is_refused(name: str) -> None:
    data, said = HOSTILE[name]
    tracemalloc.start()
    try:
        with pytest.raises(BadSkill) as refused:
            skill_in(Form({}, (("pdf.zip", data),)))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert said in str(refused.value)
    assert most < 3 * LIMITS.skill_bytes


def test_a_list_of_a_million_entries_is_not_read() -> None:
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    central = entry * 600_000
    for claimed in (600_000 & 0xFFFF, 1):
        end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, claimed, claimed, len(central), 0, 0)
        started = time.process_time()
        with pytest.raises(BadSkill):
            unzipped(central + end)
        assert time.process_time() - started < 1  # reading them all takes several seconds


def test_the_zip64_form_cannot_hide_another_list() -> None:
    data = zip_of(GOOD)
    end = data.rindex(b"PK\x05\x06")
    hidden = data[:end] + struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1) + data[end:]
    with pytest.raises(BadSkill, match="zip64"):
        unzipped(hidden)


def test_a_comment_cannot_hide_another_end() -> None:
    inner = zip_of({"pdf/SKILL.md": skill_md("pdf"), "pdf/../x": b""})
    outer = bytearray(zip_of(GOOD))
    struct.pack_into("<H", outer, len(outer) - 2, len(inner))
    with pytest.raises(BadSkill):
        unzipped(bytes(outer) + inner)


@given(st.binary(max_size=400), st.integers(0, 400), st.integers(0, 255))
def test_any_bytes_are_refused_or_hold_plain_paths(data: bytes, at: int, value: int) -> None:
    flipped = bytearray(zip_of({**GOOD, "pdf/a/b.txt": b"hello"}))
    flipped[at % len(flipped)] = value
    for archive in (data, bytes(flipped), bytes(flipped) + data):
        try:
            contents = unzipped(archive)
        except BadSkill:
            continue
        assert all(".." not in path.split("/") and not path.startswith("/") for path in contents)
