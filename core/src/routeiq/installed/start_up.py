"""Code that Python runs by itself when it starts: `.pth` lines, `.start` files, `sitecustomize`, `usercustomize`.

It reads the files and runs none. What a gateway makes of them is the callers' business.
"""

from __future__ import annotations

import hashlib
import re
import site
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from routeiq.installed.known_start_up import EDITABLE, KNOWN, as_shipped, sha256

READS_START_FILES = sys.version_info >= (3, 15)
"""Python reads `.start` files since 3.15 (PEP 829)."""
_SHOWN = 160
"""So much of a line of code is shown, in characters."""
_CODE = ("import ", "import\t")


@dataclass(frozen=True, slots=True)
class StartUpCode:
    """One file. `says` is its first line of code, `sha256` covers the file and the modules beside it that its code
    names, `verdict` is `known`, `editable` or `unknown`."""

    path: Path
    says: str
    sha256: str
    verdict: str

    @property
    def mend(self) -> str:
        """What to do about it, in one sentence; nothing for what is known."""
        if self.verdict == "known":
            return ""
        if self.verdict == "editable":
            return "install that distribution as a wheel."
        return "look who brought it; delete it with its distribution, or accept it by `routeiq plugins lock --accept`."

    def __str__(self) -> str:
        return f"{self.path} runs code at each start of Python: {self.says}"


def start_up_code(folders: Iterable[Path] | None = None, path: Iterable[str] | None = None) -> tuple[StartUpCode, ...]:
    """Every file that runs code, by place. `folders` are those that Python reads such files from, `path` is where it
    looks for modules; both are this process's own unless they are given."""
    found = [one for folder in (_folders() if folders is None else folders) for one in _in(folder)]
    names = ("sitecustomize", "usercustomize") if site.ENABLE_USER_SITE else ("sitecustomize",)
    found += [one for name in names for one in _module(name, list(sys.path if path is None else path))]
    return tuple(sorted(found, key=lambda one: one.path))


def _folders() -> list[Path]:
    named = site.getsitepackages() + ([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])
    return [Path(name) for name in dict.fromkeys(named)]


def _in(folder: Path) -> Iterator[StartUpCode]:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return
    for name in names:
        if name.endswith(".pth") or (name.endswith(".start") and READS_START_FILES):
            found = _judged(folder / name)
            if found is not None:
                yield found


def _judged(path: Path) -> StartUpCode | None:
    try:
        content = path.read_bytes()
    except OSError as error:
        return StartUpCode(path, f"it cannot be read: {error.strerror}", "", "unknown")
    # Python splits at fewer characters and gives up at more bytes: nothing that it would run is missed.
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    if path.suffix == ".start":
        code = [line for line in lines if line.strip() and not line.startswith("#")]
    else:
        code = [line for line in lines if line.startswith(_CODE)]
    if not code:
        return None
    beside = _modules_beside(path.parent, code)
    return StartUpCode(path, code[0].strip()[:_SHOWN], _digest([path, *beside]), _verdict(path, code, beside))


def _verdict(path: Path, code: list[str], beside: list[Path]) -> str:
    for known in KNOWN:
        if path.name == known.name and code == [known.line]:
            if known.owner is not None and as_shipped(known.owner, [path, *beside]):
                return "known"
            if beside and all(sha256(file) in known.modules for file in beside):
                return "known"
    if len(code) == 1 and EDITABLE.fullmatch(code[0].strip()) and path.name.startswith(("__editable__", "_editable_")):
        return "editable"
    return "unknown"


def _modules_beside(folder: Path, code: Iterable[str]) -> list[Path]:
    """The files of modules in the same folder that the code names, since they are what runs."""
    words = sorted({word for line in code for word in re.findall(r"\w+", line)})
    files: list[Path] = []
    for word in words:
        if (folder / f"{word}.py").is_file():
            files.append(folder / f"{word}.py")
        if (folder / word / "__init__.py").is_file():
            files += sorted(file for file in (folder / word).rglob("*") if file.suffix in {".py", ".so", ".pyd"})
    return files


def _module(name: str, where: list[str]) -> Iterator[StartUpCode]:
    spec = PathFinder.find_spec(name, where)
    if spec is None or spec.origin is None or not spec.has_location:
        return
    path = Path(spec.origin)
    known = any(one.name == f"{name}.py" and sha256(path) in one.modules for one in KNOWN)
    yield StartUpCode(path, f"the module {name}", _digest([path]), "known" if known else "unknown")


def _digest(files: Iterable[Path]) -> str:
    """One digest of all; a file that cannot be read has an empty one, and so is never what was accepted."""
    return hashlib.sha256("\n".join(sha256(file) for file in files).encode()).hexdigest()
