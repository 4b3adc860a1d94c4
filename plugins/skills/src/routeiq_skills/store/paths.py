"""Which names a file of a skill may have: relative, plain, and one spelling each.

Whether the file exists is not asked here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from routeiq_skills.store.limits import LIMITS, BadSkill

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MOST_NAME = 64
_LITTER = frozenset({"__macosx", "__pycache__", ".ds_store", ".git", "thumbs.db", "desktop.ini"})
_FORBIDDEN = frozenset('\\:*?"<>|')
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{number}" for number in range(10)), *(f"lpt{number}" for number in range(10))}
)


def check_name(name: object) -> str:
    """A skill's name, when it is one. Raises `BadSkill`."""
    if not isinstance(name, str) or len(name) > _MOST_NAME or not NAME.fullmatch(name):
        raise BadSkill(
            f"the name {shown(name)} is not 1 to {_MOST_NAME} lower-case letters, digits and single hyphens, "
            "with none at an end"
        )
    return name


def is_litter(name: str) -> bool:
    """Whether a file or folder is what tools leave behind. It is no part of a skill and never served."""
    return name.casefold() in _LITTER


def check_path(path: str) -> str:
    """A path within a skill, when it is one: `/` between names, none of them hidden, special or two things at once.
    Raises `BadSkill`."""
    if not path or len(path.encode("utf-8", "surrogatepass")) > LIMITS.path_length:
        raise BadSkill(f"a path is empty or longer than {LIMITS.path_length} bytes: {shown(path)}")
    parts = path.split("/")
    if len(parts) > LIMITS.depth:
        raise BadSkill(f"{shown(path)} lies deeper than {LIMITS.depth} folders")
    for part in parts:
        fault = _fault(part)
        if fault is not None:
            raise BadSkill(f"the path {shown(path)} {fault}")
    return path


def check_apart(paths: Iterable[str]) -> None:
    """Refuse paths that are one on some file systems, and a file that is another's folder. Raises `BadSkill`."""
    folders: dict[str, str] = {}
    files: dict[str, str] = {}
    for path in paths:
        folded = _folded(path)
        if folded in files:
            raise BadSkill(f"{shown(path)} and {shown(files[folded])} are one file where case does not count")
        files[folded] = path
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            known = folders.setdefault(_folded(folder), folder)
            if known != folder:
                raise BadSkill(f"the folders {shown(folder)} and {shown(known)} are one where case does not count")
    for folded, path in files.items():
        if folded in folders:
            raise BadSkill(f"{shown(path)} is a file and a folder at once")


def shown(value: object) -> str:
    """A name as a message shows it: short, and without characters that could pass for something else."""
    return ascii(value)[:120]


def _fault(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "is absolute or has an empty, '.' or '..' part"
    if part.startswith("."):
        return "is hidden"
    if part.endswith((" ", ".")) or part.startswith(" "):
        return "has a part that begins or ends with a space, or ends with a dot"
    if any(character in _FORBIDDEN for character in part):
        return "has a backslash, a colon or another character that file systems read in their own way"
    if part.split(".")[0].casefold() in _DEVICES:
        return "names a device"
    if any(unicodedata.category(character)[0] == "C" for character in part):
        return "has a control, format or undefined character"
    if unicodedata.normalize("NFC", part) != part:
        return "is not in Unicode's composed form (NFC)"
    return None


def _folded(path: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
