"""Zip archives of somebody else's: opened in memory, within bounds that are looked at before anything is unpacked.

Nothing is ever written where an archive says.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib

from routeiq_skills.store.limits import LIMITS, BadSkill
from routeiq_skills.store.paths import check_path, is_litter, shown

_END, _END_64 = b"PK\x05\x06", b"PK\x06\x07"
_END_SIZE, _LOCATOR_SIZE = 22, 20
_MOST_ENTRIES = 2 * LIMITS.files
_MOST_DIRECTORY = _MOST_ENTRIES * (46 + LIMITS.path_length)
_MOST_RATIO = 200
_SMALL = 64 * 1024
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def is_zip(data: bytes) -> bool:
    """Whether this begins as a zip archive does."""
    return data.startswith((b"PK\x03\x04", _END))


def unzipped(data: bytes) -> dict[str, bytes]:
    """The files of an archive by their paths. Raises `BadSkill`."""
    _check_end(data)
    contents: dict[str, bytes] = {}
    left = LIMITS.skill_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_ENTRIES:
                raise BadSkill(f"the archive has more than {_MOST_ENTRIES} entries")
            for entry in entries:
                path = _path_of(entry)
                if path is None:
                    continue
                if path in contents:
                    raise BadSkill(f"the archive has {shown(path)} twice")
                if len(contents) >= LIMITS.files:
                    raise BadSkill(f"the archive has more than {LIMITS.files} files")
                if entry.file_size > left:
                    raise BadSkill(f"unpacked, the archive has more than {LIMITS.skill_bytes} bytes")
                if entry.file_size > _SMALL and entry.file_size > _MOST_RATIO * max(1, entry.compress_size):
                    raise BadSkill(f"{shown(path)} unpacks to more than {_MOST_RATIO} times its size")
                with archive.open(entry) as opened:
                    contents[path] = opened.read(left + 1)
                left -= len(contents[path])
                if left < 0 or len(contents[path]) != entry.file_size:
                    raise BadSkill(f"{shown(path)} is not as long as the archive says")
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, RuntimeError) as error:
        raise BadSkill(f"the archive is broken ({type(error).__name__})") from None
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise BadSkill(f"the archive cannot be read ({type(error).__name__})") from None
    return contents


def _path_of(entry: zipfile.ZipInfo) -> str | None:
    """The path of a file; `None` for a folder and for litter. Raises `BadSkill`."""
    name = entry.orig_filename
    if entry.flag_bits & 0x1 or entry.flag_bits & 0x40:
        raise BadSkill(f"{shown(name)} is encrypted")
    if entry.compress_type not in _METHODS:
        raise BadSkill(f"{shown(name)} is compressed in a way that is not read here; use deflate")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    folder = name.endswith("/")
    if kind not in ((0, stat.S_IFDIR) if folder else (0, stat.S_IFREG)):
        raise BadSkill(f"{shown(name)} is {'a symbolic link' if kind == stat.S_IFLNK else 'no plain file'}")
    path = name.rstrip("/") if folder else name
    parts = path.split("/")
    if any(is_litter(part) for part in parts):
        return None
    check_path(path)
    return None if folder else path


def _check_end(data: bytes) -> None:
    """Look at the archive's end record before anybody reads its list of entries: that may have any length."""
    last = len(data) - _END_SIZE
    if last < 0:
        raise BadSkill("the archive is broken (no end)")
    at = last if data[last : last + 4] == _END and data[-2:] == b"\0\0" else data.rfind(_END, max(0, last - 65535))
    if at < 0 or at > last:
        raise BadSkill("the archive is broken (no end)")
    if at >= _LOCATOR_SIZE and data[at - _LOCATOR_SIZE : at - _LOCATOR_SIZE + 4] == _END_64:
        raise BadSkill("the archive is in the zip64 form, which a skill never needs")
    entries, size = struct.unpack_from("<HI", data, at + 10)
    if entries > _MOST_ENTRIES:
        raise BadSkill(f"the archive has more than {_MOST_ENTRIES} entries")
    if size > _MOST_DIRECTORY:
        raise BadSkill("the archive's list of entries is too long")
