"""What the contracts over HTTP share: their shape, the service that speaks one, and careful reading.

No service is named here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from routeiq_guard_external.calling import post
from routeiq_guard_external.question import FLAGGED, Question, Text, Unusable, Verdict
from routeiq_sdk import Secret
from routeiq_sdk.gateway import EgressService

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_/.-]{0,63}")
_ROLES = {
    "system": "system",
    "assistant": "assistant",
    "reasoning": "assistant",
    "refusal": "assistant",
    "arguments": "assistant",
    "tool_result": "tool",
}


class HttpContract(Protocol):
    """One contract. Reading raises `Unusable` for what is no answer."""

    def url(self, base: str) -> str:
        """Where questions go, below the row's `api_base`."""

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """The header that holds the row's `api_key`."""

    def body(self, question: Question) -> Mapping[str, Any]:
        """The JSON to send."""

    def read(self, told: Any, question: Question) -> Verdict:
        """What the JSON says."""


class HttpService:
    """A service that speaks a contract."""

    def __init__(
        self,
        egress: EgressService,
        contract: HttpContract,
        base: str,
        key: Secret | None,
        headers: Mapping[str, Secret],
        seconds: float,
    ) -> None:
        self._egress = egress
        self._contract = contract
        self._url = contract.url(base)
        self._key = key
        self._headers = headers
        self._seconds = seconds

    async def ask(self, question: Question) -> Verdict:
        """Ask over HTTP."""
        sent = {name.lower(): value.reveal() for name, value in self._headers.items()}
        if self._key:
            sent |= self._contract.credentials(self._key)
        told = await post(self._egress, self._url, sent, self._contract.body(question), self._seconds)
        return self._contract.read(told, question)


def bearer(key: Secret) -> Mapping[str, str]:
    """The usual header of a key."""
    return {"authorization": f"Bearer {key.reveal()}"}


def fields(told: Any) -> Mapping[str, Any]:
    """The answer, if it is an object."""
    if not isinstance(told, Mapping):
        raise Unusable("its answer is no object")
    return told


def kind(told: Any) -> str:
    """A kind as services name them. Anything else, such as words of the text, is not repeated."""
    return told if isinstance(told, str) and _KIND.fullmatch(told) else FLAGGED


def reason(told: Any) -> str:
    """A service's own words, short and on one line."""
    return " ".join(told.split())[:300] if isinstance(told, str) else ""


def messages(texts: Sequence[Text]) -> list[dict[str, str]]:
    """The texts as messages of a chat. They are made of what is judged, not of the request, in which other guards may
    already have masked what must not leave."""
    return [{"role": _ROLES.get(each.part, "user"), "content": each.text} for each in texts]
