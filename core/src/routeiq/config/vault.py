"""Reads secrets from a server that speaks Vault's API (key-value engine, version 2), once while a file is loaded.

Which value is a reference is decided in `references`. Nothing is kept: a reload asks again.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from routeiq.config.secrets_block import Vault

SCHEME = "vault://"
_PART = r"(?!\.{1,2}(?:[/#]|\Z))[A-Za-z0-9_.-]+"
_REFERENCE = re.compile(rf"vault://({_PART})/({_PART}(?:/{_PART})*)#([A-Za-z0-9_.-]+)")
_MOST_BYTES = 1 << 20
_STATUSES = {
    400: "the server does not understand the request",
    403: "the token may not read it",
    404: "there is no such secret",
    429: "the server is a standby or has too much to do",
    472: "the server is a standby",
    473: "the server is a standby",
    503: "the server is sealed or down",
}


class Unread(Exception):
    """Why a reference has no value. The text holds no secret."""


class VaultReader:
    """One server, for the time of one load. A secret with several fields is asked for once, and after one failure of
    the network nothing more is tried."""

    def __init__(self, settings: Vault) -> None:
        self._settings = settings
        self._known: dict[str, Mapping[str, Any] | Unread] = {}
        self._down: Unread | None = None

    def field(self, reference: str) -> str:
        """The text that `vault://mount/path#field` stands for. Raises `Unread`."""
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            raise Unread("a reference is vault://MOUNT/PATH#FIELD, of letters, digits and _ . -")
        mount, path, name = found.groups()
        fields = self._fields(f"{mount}/data/{path}")
        value = fields.get(name)
        if value is None:
            raise Unread("the secret has no such field")
        if not isinstance(value, str):
            raise Unread("the field is no text")
        if not value:
            raise Unread("the field is empty")
        return value

    def _fields(self, path: str) -> Mapping[str, Any]:
        if self._down is not None:
            raise self._down
        if path not in self._known:
            try:
                with ThreadPoolExecutor(1, thread_name_prefix="vault") as thread:  # the caller may be in a loop
                    self._known[path] = thread.submit(asyncio.run, self._ask(path)).result()
            except Unread as error:
                self._known[path] = error
            except Exception as error:
                self._down = Unread(f"the server cannot be reached ({type(error).__name__})")
                raise self._down from None
        found = self._known[path]
        if isinstance(found, Unread):
            raise found
        return found

    async def _ask(self, path: str) -> Mapping[str, Any]:
        # No command that needs no secret pays for these imports.
        from routeiq.egress import Credentials, Egress, EgressPolicy, Timeouts, read_capped

        settings = self._settings
        policy = EgressPolicy.compile((settings.address,), ())
        url = policy.parse(f"{settings.address.rstrip('/')}/v1/{path}")
        told = {"X-Vault-Token": settings.token.reveal(), "X-Vault-Request": "true"}
        if settings.namespace is not None:
            told["X-Vault-Namespace"] = settings.namespace
        limit = settings.seconds
        async with asyncio.timeout(limit), Egress(policy) as egress:
            asked = egress.request(
                "GET",
                url,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                credentials=Credentials(url.origin, told),
                timeout=Timeouts(connect=limit, read=limit, total=limit),
                decompress=False,
            )
            async with asked as response:
                if response.status != 200:
                    why = _STATUSES.get(response.status, f"the server answered with status {response.status}")
                    raise Unread(why)
                return _fields_of(await read_capped(response, url, _MOST_BYTES))


def _fields_of(body: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(body)["data"]["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        fields = None
    if not isinstance(fields, Mapping):
        raise Unread("the answer is none of a key-value engine of version 2")
    return fields
