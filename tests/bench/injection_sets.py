"""The texts on which the injection guard is measured: by hand, from templates that training never saw, and real pages.

All of the first two kinds were made up for this; nothing here judges.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "injection_data"
PAGES = Path(__file__).resolve().parents[2] / "docs"
SEED = 77
TIMES = 10
"""Examples of each held-out template."""
LIBRARY = (
    "argparse", "ast", "asyncio", "calendar", "cmd", "code", "collections", "configparser", "contextlib", "csv",
    "dataclasses", "datetime", "decimal", "difflib", "doctest", "email.message", "enum", "ftplib", "functools",
    "gettext", "hashlib", "heapq", "http.client", "http.cookies", "imaplib", "inspect", "ipaddress", "itertools",
    "json", "locale", "logging", "mailbox", "math", "multiprocessing", "optparse", "os", "pathlib", "pdb",
    "pickle", "pkgutil", "platform", "pprint", "random", "re", "sched", "secrets", "shelve", "shlex", "shutil",
    "smtplib", "socket", "socketserver", "sqlite3", "ssl", "statistics", "string", "subprocess", "tarfile",
    "tempfile", "textwrap", "threading", "timeit", "trace", "traceback", "typing", "unittest", "urllib.request",
    "uuid", "weakref", "xml.dom", "zipfile",
)  # fmt: skip
"""Modules of the standard library whose documentation is read."""
_TOOL = "tool: "


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, the part of a request in which it stands, and whether it is an attack."""

    text: str
    part: str
    attack: bool


def by_hand(*, seen: bool) -> list[Sample]:
    """Attacks, and harmless texts that look like some. The guard's authors looked at how every second one (`seen`) was
    judged, and mended what they could; at the others never."""
    return [
        Sample(
            line.removeprefix(_TOOL).replace("\\n", "\n"), "tool_result" if line.startswith(_TOOL) else "user", attack
        )
        for name, attack in (("attacks.txt", True), ("benign.txt", False))
        for number, line in enumerate(_lines(name))
        if (number % 2 == 0) is seen
    ]


def _lines(name: str) -> list[str]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("# ")]


def held_out() -> list[Sample]:
    """Examples of templates with other words and slots than those of training."""
    from routeiq_guard_injection.training.grammar import read

    written = read(FOLDER / "held_out").written(SEED, TIMES)
    return [Sample(example.text, "user", example.attack) for example in written]


def docstrings(*, seen: bool) -> list[Sample]:
    """Paragraphs of the documentation inside Python's standard library, pasted and fetched: real prose of others. The
    guard's authors looked at those of every second module."""
    found: set[str] = set()
    for name in LIBRARY[0 if seen else 1 :: 2]:
        module = importlib.import_module(name)
        for _, member in [("", module), *inspect.getmembers(module)]:
            if inspect.isclass(member) or inspect.isroutine(member) or inspect.ismodule(member):
                found.update(part for part in (inspect.getdoc(member) or "").split("\n\n") if len(part.split()) > 5)
    return [Sample(paragraph, part, False) for part in ("user", "tool_result") for paragraph in sorted(found)]


def pages() -> list[Sample]:
    """Paragraphs of this repository's documentation, pasted and fetched. The classifier learnt from some of them. Pages
    on guards are left out: they quote what guards look for."""
    paragraphs = [
        paragraph.strip()
        for page in sorted(PAGES.rglob("*.md"))
        if not page.name.startswith("guard")
        for paragraph in page.read_text(encoding="utf-8").split("\n\n")
        if len(paragraph.split()) > 5
    ]
    return [Sample(paragraph, part, False) for part in ("user", "tool_result") for paragraph in paragraphs]
