"""Langfuse projects that keys and teams have of their own: LiteLLM's `logging` in their metadata.

Their addresses are not the operator's: the gateway's address rules hold for them as for any client's.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog
from pydantic import ValidationError

from routeiq_callbacks.config import LANGFUSE_CLOUD, LangfuseTarget, Outcomes
from routeiq_callbacks.finished import Finished
from routeiq_callbacks.targets.base import Door
from routeiq_callbacks.targets.langfuse import Langfuse
from routeiq_callbacks.telling import Telling
from routeiq_sdk import Gateway, Principal, Secret

log = structlog.get_logger("routeiq.callbacks")

_MOST = 200
_MOST_WAITING = 1000
_FAREWELL_SECONDS = 3.0
_ON: Mapping[str, Outcomes] = {"success": "success", "failure": "failure", "success_and_failure": "all"}


class Own(NamedTuple):
    """A project that a key or team names. `texts` is false where it wants no prompts and answers."""

    public_key: Secret
    secret_key: Secret
    host: str
    on: Outcomes
    texts: bool
    tenants: tuple[str, ...] = ()
    """Whose egress lists bind it."""


class Tenants:
    """The projects that were told of lately; the one that was not for longest goes."""

    def __init__(self, operators: Sequence[LangfuseTarget] = ()) -> None:
        self._default_host = operators[0].host if operators else LANGFUSE_CLOUD
        self._known_hosts = frozenset(target.host.rstrip("/") for target in operators)
        self._gateway: Gateway | None = None
        self._known: OrderedDict[Own, Telling] = OrderedDict()
        self._told_of: set[str] = set()

    def open(self, gateway: Gateway) -> None:
        """From now on targets can be made."""
        self._gateway = gateway

    async def close(self, seconds: float) -> None:
        """Deliver what waits, to all at once."""
        await asyncio.gather(*(telling.close(seconds) for telling in self._known.values()))
        self._known.clear()

    def named(self, principal: Principal | None) -> list[Own]:
        """The projects of a caller: those of its key, else those of its team."""
        if principal is None or not principal.attributes:
            return []
        for holder in ("metadata", "team_metadata"):
            metadata = principal.attributes.get(holder)
            if isinstance(metadata, Mapping):
                rows = metadata.get("logging")
                if isinstance(rows, list | tuple) and rows:
                    return list(self._rows(rows, principal.tenants))
                settings = metadata.get("callback_settings")
                if isinstance(settings, Mapping) and settings:
                    return list(self._rows(_as_rows(settings), principal.tenants))
        return []

    def put(self, own: Sequence[Own], finished: Finished) -> bool:
        """Queue a request for these projects; whether one of them takes it."""
        taken = False
        for each in own:
            telling = self._telling(each)
            if telling is not None and telling.takes(finished):
                telling.put(finished)
                taken = True
        return taken

    def _telling(self, own: Own) -> Telling | None:
        known = self._known.get(own)
        if known is not None:
            self._known.move_to_end(own)
            return known
        try:
            config = LangfuseTarget(on=own.on, public_key=own.public_key, secret_key=own.secret_key, host=own.host)
        except ValidationError:
            self._note("a key's or team's langfuse_host is no address", own.host[:80])
            return None
        assert self._gateway is not None
        # A server that the operator named as a Langfuse is one, whoever names it again.
        door = Door(untrusted=own.host.rstrip("/") not in self._known_hosts, tenants=own.tenants)
        target = Langfuse(config, tenants=door, texts=own.texts)
        made = self._known[own] = Telling(target, own.on, _MOST_WAITING)
        made.open(self._gateway)
        if len(self._known) > _MOST:
            _, oldest = self._known.popitem(last=False)
            self._gateway.spawn(f"close {oldest.target.name}", lambda: oldest.close(_FAREWELL_SECONDS))
        return made

    def _rows(self, rows: Iterable[Any], tenants: tuple[str, ...]) -> Iterator[Own]:
        for row in rows:
            told = row.get("callback_vars") if isinstance(row, Mapping) else None
            if not isinstance(told, Mapping):
                continue
            name = row.get("callback_name")
            if name != "langfuse":
                self._note("a callback has no targets of keys and teams", str(name)[:80])
                continue
            on = _ON.get(str(row.get("callback_type", "success_and_failure")))
            words = (
                told.get("langfuse_public_key"),
                told.get("langfuse_secret_key") or told.get("langfuse_secret"),
                told.get("langfuse_host") or self._default_host,
            )
            # `os.environ/...` would be the gateway's own environment: a tenant's words never reach into it.
            if on is None or not all(isinstance(word, str) and word and "os.environ/" not in word for word in words):
                continue
            public, secret, host = (str(word) for word in words)
            if not self._may_call(host):
                self._note("a key's or team's langfuse_host is more than scheme, host and port", host[:80])
                continue
            texts = _no(told.get("turn_off_message_logging"))
            yield Own(Secret(public), Secret(secret), host, on, texts, tenants)

    def _may_call(self, host: str) -> bool:
        """A tenant chooses a server, not a path on it: servers that the operator named may hold more than Langfuse."""
        if host.rstrip("/") in self._known_hosts:
            return True
        parts = urlsplit(host)
        return not (parts.path.strip("/") or parts.query or parts.fragment)

    def _note(self, what: str, which: str) -> None:
        """Say it once; a caller cannot fill the log with it."""
        if which not in self._told_of and len(self._told_of) < _MOST:
            self._told_of.add(which)
            log.warning(what, value=which)


def _as_rows(settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """LiteLLM's older form: lists of names by outcome, and one set of variables."""
    for key, kind in (("success_callback", "success"), ("failure_callback", "failure")):
        names = settings.get(key)
        for name in dict.fromkeys(names if isinstance(names, list | tuple) else ()):
            yield {"callback_name": name, "callback_type": kind, "callback_vars": settings.get("callback_vars")}


def _no(told: Any) -> bool:
    return str(told).lower() != "true"
