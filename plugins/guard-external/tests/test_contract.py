"""What every guard promises, inherited from the SDK: once with a service, once with a model that judges."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from routeiq_guard_external.plugin import GuardExternal
from routeiq_sdk import Context
from routeiq_sdk.testing import GuardContract
from routeiq_sdk.testing.fakes import FakeGateway
from routeiq_sdk.testing.services import FakeAnswer, FakeEgress

from .moderator import BAD, HIDDEN, PRIVATE, verdict

LONG = "An ordinary sentence about ships. " * 30


class Judging(FakeEgress):
    """An outside in which the moderation service answers."""

    @asynccontextmanager
    async def _answering(self, url: str, body: bytes) -> AsyncIterator[FakeAnswer]:
        if self._error is not None:
            raise self._error
        yield FakeAnswer(body=json.dumps(verdict(url, json.loads(body))).encode())

    def call(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> Any:
        return self._answering(url, body or b"")


class JudgingGateway(FakeGateway):
    """A gateway whose model judges, until its answers are cleared."""

    def __init__(self, plugin: str) -> None:
        super().__init__(plugin)
        self.egress = Judging()
        self.answers = [{"choices": []}]

    async def call(self, parent: Context | None, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self.answers:
            return await super().call(parent, body)
        text = "unsafe\nS1" if BAD in body["messages"][-1]["content"] else "safe"
        return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def rows(**params: Any) -> dict[str, Any]:
    filled = {"mode": ["pre_call", "during_call", "post_call"], "default_on": True, "stream_window": 60, **params}
    return {"guardrails": [{"guardrail_name": "r", "litellm_params": filled}]}


class TestService(GuardContract):
    plugin = GuardExternal
    name = "guard-external"
    config = rows(guardrail="http", api_base="https://guard.example.com/judge")
    allowed = ("Hello.", "", LONG)
    refused = (BAD, f"A sentence, and a {BAD} in it.", LONG + BAD, BAD + LONG)
    rewritten = {f"It is {PRIVATE}. {LONG}": f"It is {HIDDEN}. {LONG}", LONG + PRIVATE: LONG + HIDDEN}

    def make_gateway(self) -> FakeGateway:
        return JudgingGateway(self.name)


class TestModel(GuardContract):
    plugin = GuardExternal
    name = "guard-external"
    config = rows(guardrail="llama_guard", model="judge")
    allowed = ("Hello.", LONG)
    refused = (BAD, LONG + BAD, BAD + LONG)

    def make_gateway(self) -> FakeGateway:
        return JudgingGateway(self.name)
