"""The lock: digests of the plugins' installed files, so that `serve --locked` runs exactly what was reviewed.

It knows distributions, versions and digests; never where a package came from.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from typing import Any

from routeiq.plugins.discover import Found
from routeiq_sdk import ConfigError, PluginError

FORMAT = 1
_WRITE = "run `routeiq plugins lock`."
_AGAIN = "review the change, then run `routeiq plugins lock`."
# Installers write these for themselves, and they differ between two installs of one wheel.
_INSTALLERS_OWN = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


def write_lock(path: Path, founds: Iterable[Found]) -> None:
    """Write the digests of `founds` to `path`."""
    plugins = {found.name: _entry(found) for found in sorted(founds, key=lambda one: one.name)}
    path.write_text(json.dumps({"format": FORMAT, "plugins": plugins}, indent=2) + "\n", encoding="utf-8")


def check_lock(path: Path, founds: Iterable[Found]) -> None:
    """Raise `PluginError` unless each of `founds` is exactly what `path` records."""
    locked = _read(path)
    for found in founds:
        expected = locked.get(found.name)
        if expected is None:
            raise PluginError(found.name, f"({found}) is not in {path}.", mend=_AGAIN)
        actual = _entry(found)
        for key, value in actual.items():
            if expected.get(key) != value:
                raise PluginError(
                    found.name,
                    f"({found}) differs from {path}: {key} is {value}, not {expected.get(key)}.",
                    mend=_AGAIN,
                )


def digest(found: Found) -> str:
    """SHA-256 over the names and contents of the distribution's files, as its RECORD lists them."""
    installed = _distribution(found)
    if _editable(installed):
        raise PluginError(
            found.name,
            f"({found}) is an editable install: its files may change at any time.",
            mend=f"install {found.distribution} as a wheel.",
        )
    total = hashlib.sha256()
    for file in sorted(_recorded(installed), key=str):
        if not _counts(file):
            continue
        path = Path(str(installed.locate_file(file)))
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise PluginError(
                found.name,
                f"({found}) lacks its file {file}: {error.strerror}.",
                mend=f"reinstall {found.distribution}.",
            ) from None
        total.update(f"{file.as_posix()}\0{content}\n".encode())
    return total.hexdigest()


def _entry(found: Found) -> dict[str, str]:
    return {
        "distribution": found.distribution,
        "version": found.version,
        "entry_point": f"{found.group}:{found.value}",
        "sha256": digest(found),
    }


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the lock cannot be read: {error.strerror}.", file=path, mend=_WRITE) from None
    except ValueError:
        raise ConfigError("the lock is not JSON.", file=path, mend=_WRITE) from None
    plugins = document.get("plugins") if isinstance(document, dict) and document.get("format") == FORMAT else None
    if not isinstance(plugins, dict) or not all(isinstance(entry, dict) for entry in plugins.values()):
        raise ConfigError("the lock is not one of this version.", file=path, mend=_WRITE)
    return plugins


def _distribution(found: Found) -> Distribution:
    try:
        installed = distribution(found.distribution)
    except PackageNotFoundError:
        raise PluginError(found.name, f"({found}) is gone.", mend=f"pip install {found.distribution}") from None
    if not _recorded(installed):
        raise PluginError(
            found.name,
            f"({found}) has no RECORD of its files.",
            mend=f"install {found.distribution} as a wheel.",
        )
    return installed


def _recorded(installed: Distribution) -> list[PurePosixPath]:
    """The files in its RECORD, lost ones too: `Distribution.files` leaves these out in newer versions, and in older
    ones once another library has brought the backport of importlib.metadata along."""
    return [PurePosixPath(row[0]) for row in csv.reader((installed.read_text("RECORD") or "").splitlines()) if row]


def _editable(installed: Distribution) -> bool:
    try:
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
    return bool(origin.get("dir_info", {}).get("editable"))


def _counts(file: PurePosixPath) -> bool:
    """Compiled files follow the sources; scripts outside the package hold the path of an interpreter."""
    if file.parts[0] == "..":
        return False
    if file.parent.name.endswith(".dist-info") and file.name in _INSTALLERS_OWN:
        return False
    return file.suffix != ".pyc"
