"""How the everything-server asks its client for input: by a request of its own in the handshake era, by an
`input_required` result in the era of 2026-07-28. What is asked belongs to the tools and prompts.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    InputResponse,
    InputResponseRequestParams,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

Context = ServerRequestContext[Any, Any]
_CAPABILITIES = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}


@contextmanager
def asked_for_what_is_deprecated() -> Iterator[None]:
    """The suite asks for what 2026-07-28 deprecates; that it is deprecated is known here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        yield


class NeedsInput(Exception):
    """The call cannot be finished before the client has answered; `result` is what it gets meanwhile."""

    def __init__(self, questions: Mapping[str, InputRequest], state: str | None) -> None:
        super().__init__(", ".join(questions))
        self.result = InputRequiredResult(input_requests=dict(questions), request_state=state)


class ToolFault(Exception):
    """What a tool reports as its own failure, in a result with `isError`."""


@dataclass(frozen=True)
class Call:
    """One call of a tool or prompt, as its function sees it."""

    context: Context
    arguments: Mapping[str, Any]
    params: InputResponseRequestParams

    @property
    def modern(self) -> bool:
        return self.context.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def state(self) -> str | None:
        """What an earlier round left with the client; its seal was checked on the way in."""
        return self.params.request_state

    def client_can(self, capability: str) -> bool:
        declared = self.context.session.client_capabilities
        return declared is not None and getattr(declared, capability) is not None

    def require(self, capability: str) -> None:
        """Refuse a client that did not declare `capability`."""
        if self.client_can(capability):
            return
        missing = ClientCapabilities.model_validate({capability: {}})
        told = {"requiredCapabilities": missing.model_dump(by_alias=True, mode="json", exclude_none=True)}
        if self.modern:
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, f"this needs the client's {capability}", told)
        raise ToolFault(f"this needs a client with the capability {capability}")

    async def ask(
        self, questions: Mapping[str, InputRequest], *, state: str | None = None
    ) -> Mapping[str, InputResponse]:
        """The client's answers by key; with `state` an answer counts only together with a state of ours."""
        for question in questions.values():
            self.require(_CAPABILITIES[question.method])
        if not self.modern:
            return {key: await self._request(question) for key, question in questions.items()}
        given = self.params.input_responses or {}
        answered = {key: given[key] for key, question in questions.items() if _answers(given.get(key), question)}
        if len(answered) < len(questions) or (state is not None and self.state is None):
            raise NeedsInput(questions, state)
        return answered

    async def form(
        self, key: str, message: str, schema: Mapping[str, Any], *, state: str | None = None
    ) -> ElicitResult:
        """What the user answered to one form."""
        answer = (await self.ask({key: form(message, schema)}, state=state))[key]
        assert isinstance(answer, ElicitResult)
        return answer

    async def _request(self, question: InputRequest) -> InputResponse:
        kinds: dict[str, type[ElicitResult | CreateMessageResult | ListRootsResult]] = {
            "elicitation/create": ElicitResult,
            "sampling/createMessage": CreateMessageResult,
            "roots/list": ListRootsResult,
        }
        here = ServerMessageMetadata(related_request_id=self.context.request_id)
        return await self.context.session.send_request(question, kinds[question.method], metadata=here)


def form(message: str, schema: Mapping[str, Any]) -> ElicitRequest:
    """A form with the properties of `schema`, all of which are required unless it says otherwise."""
    full = {"type": "object", "required": list(schema["properties"]), **schema}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=full))


def sample(text: str, max_tokens: int) -> CreateMessageRequest:
    said = SamplingMessage(role="user", content=TextContent(text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[said], max_tokens=max_tokens))


def roots() -> ListRootsRequest:
    return ListRootsRequest()


def sampled_text(answer: InputResponse) -> str:
    """The text of a sampled message."""
    assert isinstance(answer, CreateMessageResult)
    return answer.content.text if isinstance(answer.content, TextContent) else f"({answer.content.type})"


def _answers(answer: InputResponse | None, question: InputRequest) -> bool:
    """Whether `answer` is one to `question`: of its kind, and an accepted form is filled in."""
    if isinstance(question, ListRootsRequest):
        return isinstance(answer, ListRootsResult)
    if isinstance(question, CreateMessageRequest):
        return isinstance(answer, CreateMessageResult)
    if not isinstance(answer, ElicitResult):
        return False
    assert isinstance(question.params, ElicitRequestFormParams)
    required = question.params.requested_schema.get("required", ())
    return answer.action != "accept" or all(name in (answer.content or {}) for name in required)
