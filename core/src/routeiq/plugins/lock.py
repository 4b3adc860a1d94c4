"""The lock: digests of the plugins' installed files, so that `serve --locked` runs exactly what was reviewed.

It knows distributions, versions and digests; never where a package came from. How imports are held to it is
`locked_imports`' business.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from typing import Any

from routeiq.installed.start_up import StartUpCode, start_up_code
from routeiq.plugins.discover import Found
from routeiq.plugins.locked_imports import NOTHING, LockedFiles, packages_of
from routeiq_sdk import ConfigError, PluginError

FORMAT = 1
_WRITE = "run `routeiq plugins lock`."
_AGAIN = "review the change, then run `routeiq plugins lock`."
# Installers write these for themselves, and they differ between two installs of one wheel.
_INSTALLERS_OWN = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


def write_lock(path: Path, founds: Iterable[Found], accept: Sequence[str] = ()) -> None:
    """Write the digests of `founds` to `path`, and those of the start-up files in `accept`, by name. Raises
    `ConfigError` for start-up code that is neither known nor accepted."""
    plugins = {found.name: _entry(found, _digests(found)) for found in sorted(founds, key=lambda one: one.name)}
    accepted: dict[str, list[str]] = {}
    for one in _strange():
        if one.path.name not in accept or not one.sha256:
            raise ConfigError(f"{one} ({one.verdict}).", mend=one.mend)
        accepted.setdefault(one.path.name, []).append(one.sha256)
    document = {"format": FORMAT, "plugins": plugins, "start_up_code": accepted}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def check_lock(path: Path, founds: Iterable[Found]) -> LockedFiles:
    """Their files. Raises `PluginError` unless each of `founds` is exactly what `path` records, and `ConfigError` for
    start-up code that is neither known nor recorded."""
    plugins, accepted = _read(path)
    for one in _strange():
        if one.sha256 not in accepted.get(one.path.name, ()):
            raise ConfigError(f"{one} ({one.verdict}), and {path} does not cover it.", mend=one.mend)
    files = NOTHING
    for found in founds:
        expected = plugins.get(found.name)
        if expected is None:
            raise PluginError(found.name, f"({found}) is not in {path}.", mend=_AGAIN)
        digests = _digests(found)
        for key, value in _entry(found, digests).items():
            if expected.get(key) != value:
                raise PluginError(
                    found.name,
                    f"({found}) differs from {path}: {key} is {value}, not {expected.get(key)}.",
                    mend=_AGAIN,
                )
        files = files | _files(found, digests)
    return files


def _strange() -> list[StartUpCode]:
    return [one for one in start_up_code() if one.verdict != "known"]


def _digests(found: Found) -> dict[PurePosixPath, str]:
    """SHA-256 of each of the distribution's files that its RECORD lists, taken from the bytes on the disk."""
    installed = _distribution(found)
    if _editable(installed):
        raise PluginError(
            found.name,
            f"({found}) is an editable install: its files may change at any time.",
            mend=f"install {found.distribution} as a wheel.",
        )
    digests = {}
    for file in sorted(_recorded(installed), key=str):
        if not _counts(file):
            continue
        path = Path(str(installed.locate_file(file)))
        try:
            digests[file] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise PluginError(
                found.name,
                f"({found}) lacks its file {file}: {error.strerror}.",
                mend=f"reinstall {found.distribution}.",
            ) from None
    return digests


def _files(found: Found, digests: dict[PurePosixPath, str]) -> LockedFiles:
    installed = _distribution(found)
    places = {os.path.realpath(str(installed.locate_file(file))): digest for file, digest in digests.items()}
    return LockedFiles(places, packages_of(tuple(digests)))


def _entry(found: Found, digests: dict[PurePosixPath, str]) -> dict[str, str]:
    total = hashlib.sha256()
    for file, content in digests.items():
        total.update(f"{file.as_posix()}\0{content}\n".encode())
    return {
        "distribution": found.distribution,
        "version": found.version,
        "entry_point": f"{found.group}:{found.value}",
        "sha256": total.hexdigest(),
    }


def _read(path: Path) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the lock cannot be read: {error.strerror}.", file=path, mend=_WRITE) from None
    except ValueError:
        raise ConfigError("the lock is not JSON.", file=path, mend=_WRITE) from None
    plugins = document.get("plugins") if isinstance(document, dict) and document.get("format") == FORMAT else None
    accepted = document.get("start_up_code", {}) if isinstance(document, dict) else {}
    if (
        not isinstance(plugins, dict)
        or not all(isinstance(entry, dict) for entry in plugins.values())
        or not isinstance(accepted, dict)
        or not all(isinstance(digests, list) for digests in accepted.values())
    ):
        raise ConfigError("the lock is not one of this version.", file=path, mend=_WRITE)
    return plugins, accepted


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
