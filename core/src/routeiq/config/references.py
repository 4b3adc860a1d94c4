"""Resolves `os.environ/NAME`, `file:///path` and `vault://mount/path#field`, and wraps secrets, so that no later step
holds one in the open.

The process's own environment is only read; exporting `environment_variables` is the caller's choice.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from routeiq.config.errors import Problems
from routeiq.config.notices import Notice, notice_at
from routeiq.config.position import KeyPath, Positions, dotted
from routeiq.config.secret_names import SECRET_PATHS, holds_secrets, is_secret, names_a_secret
from routeiq.config.secrets_block import Vault
from routeiq.config.validation import checked
from routeiq.config.vault import SCHEME, Unread, VaultReader
from routeiq_sdk import Secret

ENVIRONMENT = "environment_variables"
_VARIABLE = "os.environ/"
_FILE = "file://"
_VAULT: KeyPath = ("routeiq", "secrets", "vault")
_MAX_SECRET_FILE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Resolved:
    """The document with its references replaced and every secret wrapped; missing plain values are `None`."""

    data: dict[str, Any] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    notices: tuple[Notice, ...]


def resolve(data: Mapping[str, Any], positions: Positions, env: Mapping[str, str], problems: Problems) -> Resolved:
    """Apply `environment_variables` first, then resolve everything else against it and `env`."""
    walk = _Walk(positions, env, problems, data)
    exported = _environment(data.get(ENVIRONMENT), walk, problems)
    walk.env = {**env, **exported}
    rest = walk.value({key: value for key, value in data.items() if key != ENVIRONMENT}, (), False)
    return Resolved(rest, exported, tuple(walk.notices))


def _environment(section: Any, walk: _Walk, problems: Problems) -> dict[str, str]:
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        problems.add((ENVIRONMENT,), f"{ENVIRONMENT} is a mapping of names to values", "write NAME: value")
        return {}
    exported: dict[str, str] = {}
    for name, written in section.items():
        path: KeyPath = (ENVIRONMENT, name)
        value = walk.value(written, path, names_a_secret(name))
        if isinstance(value, Secret):
            exported[name] = value.reveal()
        elif isinstance(value, bool):
            exported[name] = str(value).lower()
        elif isinstance(value, str | int | float):
            exported[name] = str(value)
        elif value is not None:
            problems.add(path, f"{dotted(path)} must be plain text", "quote the value")
    return exported


class _Walk:
    def __init__(
        self, positions: Positions, env: Mapping[str, str], problems: Problems, document: Mapping[str, Any]
    ) -> None:
        self._positions = positions
        self._document = document
        self._vault: VaultReader | None = None
        self.env = env
        self._problems = problems
        self.notices: list[Notice] = []

    def value(self, value: Any, path: KeyPath, secret: bool, container: bool = False) -> Any:
        if isinstance(value, str):
            return self._text(value, path, secret or container)
        if isinstance(value, Mapping):
            return {
                key: self.value(
                    item,
                    (*path, key),
                    is_secret(key, item) or (*path, key) in SECRET_PATHS,
                    container or (holds_secrets(key) and isinstance(item, Mapping)),
                )
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.value(item, (*path, n), secret, container) for n, item in enumerate(value)]
        return value

    def _text(self, text: str, path: KeyPath, secret: bool) -> Any:
        if text.startswith(_VARIABLE):
            found = self._variable(text.removeprefix(_VARIABLE), path, secret)
        elif secret and text.startswith(_FILE):
            found = self._file(text.removeprefix(_FILE), path)
        elif secret and text.startswith(SCHEME):
            found = self._looked_up(text, path)
        else:
            found = text
        return Secret(found) if secret and found is not None else found

    def _variable(self, name: str, path: KeyPath, secret: bool) -> str | None:
        found = self.env.get(name)
        if found or (found is not None and not secret):
            return found
        state = "is not set" if found is None else "is empty"
        if secret:
            mend = f"export {name}, or remove this line"
            self._problems.add(path, f"{dotted(path)}: environment variable {name or '(no name)'} {state}", mend)
        else:
            message = f"environment variable {name or '(no name)'} {state}; the key counts as not written"
            self.notices.append(notice_at(self._positions, "warning", path, message))
        return None

    def _file(self, name: str, path: KeyPath) -> str | None:
        where = dotted(path)
        if not name.startswith("/"):
            self._problems.add(path, f"{where}: a file reference is absolute", "write file:///run/secrets/NAME")
            return None
        try:
            with Path(name).open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                raw = file.read(_MAX_SECRET_FILE + 1)
            found = raw.decode("utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self._problems.add(path, f"{where}: cannot read {name}: {reason}", "give a file that the gateway may read")
            return None
        if not found or len(raw) > _MAX_SECRET_FILE:
            size = "empty" if not found else f"larger than {_MAX_SECRET_FILE} bytes"
            self._problems.add(path, f"{where}: {name} is {size}", "a secret file holds the secret alone")
            return None
        if mode & stat.S_IWOTH and stat.S_ISREG(mode):
            self._problems.add(path, f"{where}: every user of this machine may change {name}", f"chmod o-w {name}")
            return None
        if mode & stat.S_IROTH and stat.S_ISREG(mode):
            # Containers mount secrets like that, and have one user: no reason to stop even a strict start.
            message = f"every user of this machine may read {name}"
            self.notices.append(notice_at(self._positions, "info", path, message))
        return found

    def _looked_up(self, reference: str, path: KeyPath) -> str | None:
        where = f"{dotted(path)}: {reference}"
        if path[: len(_VAULT)] == _VAULT:
            mend = "write os.environ/NAME or file:///path"
            self._problems.add(path, f"{where}: the key to the store cannot be in the store", mend)
            return None
        try:
            if self._vault is None:
                self._vault = self._open_vault()
            return self._vault.field(reference)
        except Unread as why:
            self._problems.add(path, f"{where}: {why}", "mend the reference, the secret, or routeiq.secrets.vault")
            return None

    def _open_vault(self) -> VaultReader:
        written: Any = self._document
        for key in _VAULT:
            written = written.get(key) if isinstance(written, Mapping) else None
        if written is None:
            raise Unread("routeiq.secrets.vault does not say where the server is")
        own = _Walk(self._positions, self.env, Problems(self._positions), {})
        settings, _ = checked(Vault, own.value(written, _VAULT, False), _VAULT, self._positions)
        if settings is None:
            raise Unread("routeiq.secrets.vault has to be mended first")
        return VaultReader(settings)
