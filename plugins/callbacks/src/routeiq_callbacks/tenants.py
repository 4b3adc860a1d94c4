"""Langfuse projects that keys and teams have of their own: LiteLLM's `logging` in their metadata.

Their addresses are not the operator's: the gateway's address rules hold for them as for any client's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from routeiq_callbacks.config import LangfuseTarget, Outcomes
from routeiq_callbacks.payload import Finished
from routeiq_callbacks.targets.langfuse import Langfuse
from routeiq_callbacks.telling import Telling
from routeiq_sdk import Gateway, Principal, Secret

_MOST = 200
_MOST_WAITING = 1000
_ON: Mapping[str, Outcomes] = {"success": "success", "failure": "failure", "success_and_failure": "all"}


class Tenants:
    """The projects that were told of lately; the one that was not for longest goes."""

    def __init__(self) -> None:
        self._gateway: Gateway | None = None
        self._known: OrderedDict[tuple[Any, ...], Telling] = OrderedDict()

    def open(self, gateway: Gateway) -> None:
        """From now on targets can be made."""
        self._gateway = gateway

    async def close(self, seconds: float) -> None:
        """Deliver what waits."""
        for telling in self._known.values():
            await telling.close(seconds)

    def put(self, finished: Finished) -> None:
        """Queue a request for the projects of its key and team."""
        for name, on in _named(finished.ctx.identified):
            telling = self._of(name, on)
            if telling is not None:
                telling.put(finished)

    def _of(self, name: tuple[str, str, str], on: Outcomes) -> Telling | None:
        key = (*name, on)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        public, secret, host = name
        try:
            config = LangfuseTarget(on=on, public_key=Secret(public), secret_key=Secret(secret), host=host)
        except ValidationError:
            return None
        assert self._gateway is not None
        made = self._known[key] = Telling(Langfuse(config, operators=False), on, _MOST_WAITING)
        made.open(self._gateway)
        if len(self._known) > _MOST:
            _, oldest = self._known.popitem(last=False)
            self._gateway.spawn("close a tenant's target", lambda: oldest.close(5.0))
        return made


def _named(principal: Principal | None) -> Iterator[tuple[tuple[str, str, str], Outcomes]]:
    if principal is None:
        return
    for holder in ("metadata", "team_metadata"):
        metadata = principal.attributes.get(holder)
        rows = metadata.get("logging") if isinstance(metadata, Mapping) else None
        for row in rows if isinstance(rows, list | tuple) else ():
            if not isinstance(row, Mapping) or row.get("callback_name") != "langfuse":
                continue
            told = row.get("callback_vars")
            if not isinstance(told, Mapping):
                continue
            public = told.get("langfuse_public_key")
            secret = told.get("langfuse_secret_key") or told.get("langfuse_secret")
            host = told.get("langfuse_host") or "https://cloud.langfuse.com"
            on = _ON.get(str(row.get("callback_type", "success_and_failure")))
            # `os.environ/...` would be the gateway's own environment: a tenant's words never reach into it.
            if on and all(
                isinstance(word, str) and not word.startswith("os.environ/") for word in (public, secret, host)
            ):
                yield (str(public), str(secret), str(host)), on
