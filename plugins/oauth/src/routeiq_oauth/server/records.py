"""What the server keeps in the shared state: codes, grants with their refresh tokens. Each has an end, none a secret in
the clear.

The rules of the grants are told in `tokens`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any, TypeVar

from routeiq_sdk import Gateway, Principal

CODE_SECONDS = 60
_CODES, _GRANTS, _OF = "oauth.codes", "oauth.grants", "oauth.grants.of"
_REMEMBERED_SECONDS = 600.0
"""How long a code is known, so that a second use is seen."""
T = TypeVar("T", bound="Code | Grant")


@dataclass(frozen=True, slots=True)
class Person:
    """Who agreed: the parts of a `Principal` that a grant needs. `listed`: the directory knew the user."""

    id: str
    user: str
    team: str | None
    organization: str | None
    models: tuple[str, ...] | None
    tags: tuple[str, ...]
    alias: str | None = None
    listed: bool = False

    @classmethod
    def of(cls, principal: Principal, *, listed: bool) -> Person:
        """A caller who has a user. Its roles stay behind: a client never has an administrator's rights."""
        assert principal.user is not None
        return cls(
            id=principal.id,
            user=principal.user,
            team=principal.team,
            organization=principal.organization,
            models=tuple(sorted(principal.models)) if principal.models is not None else None,
            tags=tuple(sorted(principal.tags)),
            alias=principal.alias,
            listed=listed,
        )


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code. `grant` names what its use made, `ends` is in Unix seconds."""

    client_id: str
    client_name: str
    redirect_uri: str
    challenge: str
    scopes: tuple[str, ...]
    resource: str
    person: Person
    refresh: bool
    ends: int
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person granted a client, and when (Unix seconds). `refresh` is the hash of the one refresh token that
    counts, if there is one."""

    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    resource: str
    person: Person
    refresh: str | None
    at: int


class Records:
    """Codes and grants. A record is replaced only by whoever read its latest state."""

    def __init__(self, gateway: Gateway) -> None:
        self._state = gateway.state

    async def keep_code(self, code: Code) -> str:
        """The text of a new code."""
        text = secrets.token_urlsafe(32)
        await self._state.put(_CODES, hashed(text), _packed(code), ttl_seconds=_REMEMBERED_SECONDS)
        return text

    async def code(self, text: str) -> Code | None:
        """A code, used or not."""
        return _unpacked(Code, await self._state.get(_CODES, hashed(text)))

    async def use_code(self, text: str, code: Code, grant: str) -> bool:
        """Mark a code as used; `False` when somebody was faster."""
        used = dataclasses.replace(code, grant=grant)
        return await self._state.put_if(_CODES, hashed(text), _packed(used), expected=_packed(code))

    async def keep_grant(self, id: str, grant: Grant, seconds: float) -> None:
        """Keep a new grant for so long."""
        await self._state.put(_GRANTS, id, _packed(grant), ttl_seconds=seconds)
        await self._state.put(_OF, _place(grant, id), b"", ttl_seconds=seconds)

    async def grant(self, id: str) -> Grant | None:
        """A grant that was not revoked and has not ended."""
        return _unpacked(Grant, await self._state.get(_GRANTS, id))

    async def rotate(self, id: str, grant: Grant, refresh: str) -> bool:
        """Let another refresh token count; `False` when somebody was faster. The grant keeps its end."""
        renewed = dataclasses.replace(grant, refresh=refresh)
        return await self._state.put_if(_GRANTS, id, _packed(renewed), expected=_packed(grant))

    async def granted_by(self, user: str) -> list[tuple[str, Grant]]:
        """The ids and grants of a person, the newest first."""
        found = []
        prefix = hashed(user) + "."
        async for place, _ in self._state.scan(_OF, prefix):
            id = place.removeprefix(prefix)
            grant = await self.grant(id)
            if grant is not None and grant.person.user == user:
                found.append((id, grant))
        return sorted(found, key=lambda each: -each[1].at)

    async def revoke(self, id: str) -> bool:
        """End a grant: its refresh token, and all access tokens, which name it. Says whether there was one."""
        grant = await self.grant(id)
        if grant is not None:
            await self._state.delete(_OF, _place(grant, id))
        return await self._state.delete(_GRANTS, id)


class RefreshToken:
    """`rt_FAMILY_SECRET`. The grant is known by the hash of its family, so that access tokens, which name the grant, do
    not tell it."""

    @staticmethod
    def family() -> str:
        """A new family."""
        return secrets.token_hex(16)

    @staticmethod
    def text(family: str) -> tuple[str, str]:
        """A new token of the family, and its hash."""
        text = f"rt_{family}_{secrets.token_hex(32)}"
        return text, hashed(text)

    @staticmethod
    def family_of(text: str) -> str | None:
        """The family that a token says it is of."""
        kind, _, rest = text.partition("_")
        family, _, secret = rest.partition("_")
        return family if kind == "rt" and len(family) == 32 and len(secret) == 64 else None


def hashed(text: str) -> str:
    """What a secret is known by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _place(grant: Grant, id: str) -> str:
    return f"{hashed(grant.person.user)}.{id}"


def _packed(record: Code | Grant) -> bytes:
    return json.dumps(dataclasses.asdict(record), separators=(",", ":"), sort_keys=True).encode()


def _unpacked(kind: type[T], raw: bytes | None) -> T | None:
    if raw is None:
        return None
    try:
        told: dict[str, Any] = json.loads(raw)
        person = told.pop("person")
        models = person["models"]
        person = Person(
            **{**person, "models": tuple(models) if models is not None else None, "tags": tuple(person["tags"])}
        )
        return kind(**{**told, "scopes": tuple(told["scopes"]), "person": person})
    except (KeyError, TypeError, ValueError):
        return None  # a later or an earlier release wrote it
