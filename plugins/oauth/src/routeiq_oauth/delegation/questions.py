"""Open questions: what a person is asked to agree to, kept sealed in the shared state until it is answered or too old.

How it is asked is the pages' business, what follows is `consent`'s.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from routeiq_oauth.delegation.discovery import Server
from routeiq_oauth.vault.grant import Owner
from routeiq_oauth.vault.keyring import Keyring, Unsealable
from routeiq_sdk import Gateway
from routeiq_sdk.values.delegation import Delegate, OutboundAuth

_OPEN = "oauth.questions"
_BY_PLACE = "oauth.questions.by_place"
_ANSWERED = "oauth.questions.answered"


@dataclass(frozen=True, slots=True)
class Question:
    """May the gateway call `delegate` for `owner`, with `scopes`? `asker` says which credential wanted to."""

    id: str
    owner: Owner
    delegate: Delegate
    server: Server
    resource: str
    scopes: tuple[str, ...]
    asker: str
    tenants: tuple[str, ...] = ()

    def packed(self) -> bytes:
        """As JSON, to be sealed at once: the upstream's client secret is in it."""
        value = {
            "owner": [self.owner.tenant, self.owner.user],
            "delegate": {
                "id": self.delegate.id,
                "url": self.delegate.url,
                "auth": _plain(self.delegate.auth),
                "title": self.delegate.title,
                "untrusted": self.delegate.untrusted,
            },
            "server": self.server.packed(),
            "resource": self.resource,
            "scopes": list(self.scopes),
            "asker": self.asker,
            "tenants": list(self.tenants),
        }
        return json.dumps(value).encode()

    @classmethod
    def unpacked(cls, id: str, raw: bytes) -> Question:
        """What `packed` made."""
        value = json.loads(raw)
        delegate = {**value["delegate"], "auth": OutboundAuth.model_validate(value["delegate"]["auth"])}
        return cls(
            id,
            Owner(*value["owner"]),
            Delegate(**delegate),
            Server.unpacked(value["server"]),
            value["resource"],
            tuple(value["scopes"]),
            value["asker"],
            tuple(value["tenants"]),
        )


class Questions:
    """Keeps them."""

    def __init__(self, gateway: Gateway, keyring: Keyring, seconds: float) -> None:
        self._state = gateway.state
        self._keyring = keyring
        self._seconds = seconds

    async def ask(self, question: Question) -> str:
        """Keep a question; its id. The same question to the same person that is still open is not asked twice."""
        place = _place(question.owner, question.delegate.id)
        named = await self._state.get(_BY_PLACE, place)
        if named is not None:
            known = await self.get(named.decode())
            if known is not None and _same(known, question):
                return known.id
        id = secrets.token_urlsafe(24)
        sealed = self._keyring.seal(question.packed(), "question", id)
        await self._state.put(_OPEN, id, sealed, ttl_seconds=self._seconds)
        await self._state.put(_BY_PLACE, place, id.encode(), ttl_seconds=self._seconds)
        return id

    async def get(self, id: str) -> Question | None:
        """An open question."""
        sealed = await self._state.get(_OPEN, id) if 20 <= len(id) <= 64 else None
        if sealed is None:
            return None
        try:
            return Question.unpacked(id, self._keyring.open(sealed, "question", id))
        except Unsealable:
            return None

    async def of_user(self, user: str) -> AsyncIterator[Question]:
        """The open questions to a person."""
        async for _, id in self._state.scan(_BY_PLACE, _prefix(user)):
            question = await self.get(id.decode())
            if question is not None and question.owner.user == user:
                yield question

    async def close(self, question: Question) -> None:
        """It was answered."""
        owner = _prefix(question.owner.user)
        await self._state.put(_ANSWERED, question.id, owner.encode(), ttl_seconds=self._seconds)
        await self._state.delete(_OPEN, question.id)
        await self._state.delete(_BY_PLACE, _place(question.owner, question.delegate.id))

    async def answered(self, id: str, owner: Owner) -> bool:
        """Whether this person has answered the question `id`."""
        by = await self._state.get(_ANSWERED, id) if 20 <= len(id) <= 64 else None
        return by is not None and by.decode() == _prefix(owner.user)


def _same(one: Question, other: Question) -> bool:
    return (one.delegate, one.server, one.resource, one.scopes) == (
        other.delegate,
        other.server,
        other.resource,
        other.scopes,
    )


def _prefix(user: str) -> str:
    return hashlib.sha256(user.encode()).hexdigest()[:40] + "/"


def _place(owner: Owner, upstream: str) -> str:
    rest = hashlib.sha256(json.dumps([owner.tenant, owner.user, upstream]).encode()).hexdigest()
    return _prefix(owner.user) + rest


def _plain(auth: OutboundAuth) -> dict[str, Any]:
    """The settings with their secrets, for sealing."""
    value = auth.model_dump(mode="json", exclude_defaults=True)
    for name in ("client_secret", "client_key", "identity_provider_client_secret"):
        secret = getattr(auth, name)
        if secret is not None:
            value[name] = secret.get_secret_value()
    return value
