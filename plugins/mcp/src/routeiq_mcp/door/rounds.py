"""Rounds with modern clients: request states that bind a question to its caller, and consent asked by input.

A state of a server behind the gateway travels inside a sealed one, so that it comes back from the caller alone that it
was given to. A call that waits here, because a legacy server asks, is named by one, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from routeiq_mcp.door import consent
from routeiq_mcp.door.options import DoorOptions
from routeiq_mcp.door.peers import ModernPeer, lacking
from routeiq_mcp.door.seal import Seal, SealBroken
from routeiq_mcp.seams import Face, Json, McpError
from routeiq_mcp.wire import codes, keys, messages
from routeiq_sdk import Context, Gateway
from routeiq_sdk.gateway import Clock

_CONSENT_KEY: Final = "routeiq.consent"
_MOST_CARRIED: Final = 16 * 1024
"""Bytes of earlier answers that travel along while the user agrees at a page."""


@dataclass(frozen=True, slots=True)
class State:
    """What a request state says. `upstream`: the server's own state; `call`: the mark of a call that waits here;
    `pages`: what the user was to visit, with the answers that the server had got before."""

    upstream: str | None = None
    call: str | None = None
    pages: tuple[consent.Page, ...] = ()
    responses: Json | None = None
    round: int = 0


class States:
    """Seals request states and opens them. `bound` says whose, and of which request."""

    def __init__(self, sealing: Sequence[bytes], clock: Clock) -> None:
        self._seal = Seal(sealing, "state")
        self._clock = clock

    def close(self, state: State, bound: str, seconds: float) -> str:
        """A state to give to the client."""
        said: dict[str, Any] = {"e": int(self._clock.now_ns() / 1e9 + seconds)}
        if state.upstream is not None:
            said["u"] = state.upstream
        if state.call is not None:
            said["c"] = state.call
        if state.pages:
            said["p"] = [[page.id, page.url, page.message, page.ours] for page in state.pages]
            said["r"], said["n"] = state.responses, state.round
        return self._seal.close(messages.encode(said), bound)

    def open(self, text: object, bound: str) -> State:
        """What a state that came back says. Raises `McpError` for one that is not the caller's, or too old."""
        try:
            said = messages.decode(self._seal.open(text, bound)) if isinstance(text, str) else None
        except (SealBroken, ValueError):
            said = None
        if said is None or said["e"] < self._clock.now_ns() / 1e9:
            raise McpError(codes.INVALID_PARAMS, "invalid or expired requestState", {"reason": "invalid_request_state"})
        pages = tuple(consent.Page(*page) for page in said.get("p", ()))
        return State(said.get("u"), said.get("c"), pages, said.get("r"), said.get("n", 0))


class Rounds:
    """Answers modern requests that may take several rounds."""

    def __init__(self, states: States, gateway: Gateway, options: DoorOptions) -> None:
        self.states = states
        self._gateway = gateway
        self._options = options

    async def ask_face(
        self, face: Face, ctx: Context, method: str, params: Json, state: State, peer: ModernPeer, bound: str
    ) -> dict[str, Any]:
        """Answer a request, or the next round of one. Raises what the face raises."""
        asked = {key: value for key, value in params.items() if key not in ("requestState", "inputResponses")}
        responses = params.get("inputResponses")
        if state.pages:
            text = await self._visited(ctx, state, responses)
            if text is not None:
                return consent.told(method, state.pages, text)
            responses = state.responses
        if responses is not None:
            asked["inputResponses"] = responses
        if state.upstream is not None:
            asked["requestState"] = state.upstream
        try:
            result = dict(await face.request(ctx, method, asked, peer))
        except Exception as error:
            wanted = consent.pages(error)
            if not wanted:
                if peer.lacked is not None and isinstance(error, McpError):
                    raise peer.lacked from error
                raise
            return self._send_there(method, wanted, state, responses, peer, bound)
        if peer.lacked is not None and result.get("isError") is True:
            # A legacy server says in words what the modern era says with an error of its own.
            raise peer.lacked
        if result.get("resultType") == "input_required":
            if method not in keys.MAY_ASK:
                raise McpError(codes.INTERNAL_ERROR, f"the server asked for input to {method}")
            if result.get("requestState") is not None:
                inner = State(upstream=result["requestState"])
                result["requestState"] = self.states.close(inner, bound, self._options.state_seconds)
        return result

    def parked(self, questions: Json, mark: str, bound: str) -> dict[str, Any]:
        """The result that asks the client what a call here waits for."""
        state = self.states.close(State(call=mark), bound, self._options.question_seconds)
        return {"resultType": "input_required", "inputRequests": dict(questions), "requestState": state}

    def _send_there(
        self,
        method: str,
        wanted: Sequence[consent.Page],
        state: State,
        responses: Any,
        peer: ModernPeer,
        bound: str,
    ) -> dict[str, Any]:
        able = lacking(peer.capabilities, peer.version, "elicitation/create", wanted[0].asked()) is None
        if not able or method not in keys.MAY_ASK:
            return consent.told(method, wanted, "The user has to agree first. Open this page, then call again:")
        if state.round >= self._options.rounds:
            return consent.told(method, wanted, "The user has not agreed yet. This is the page:")
        if responses is not None and len(messages.encode(responses)) > _MOST_CARRIED:
            responses = None  # the server asks again
        waiting = State(state.upstream, None, tuple(wanted), responses, state.round + 1)
        return {
            "resultType": "input_required",
            "inputRequests": {
                f"{_CONSENT_KEY}.{number}": {"method": "elicitation/create", "params": page.asked()}
                for number, page in enumerate(wanted)
            },
            "requestState": self.states.close(waiting, bound, self._options.state_seconds),
        }

    async def _visited(self, ctx: Context, state: State, responses: Any) -> str | None:
        said = responses if isinstance(responses, Mapping) else {}
        for number, _ in enumerate(state.pages):
            answer = said.get(f"{_CONSENT_KEY}.{number}")
            action = answer.get("action") if isinstance(answer, Mapping) else None
            if action in ("decline", "cancel"):
                return "The user did not agree. Without that the call cannot be made; this is the page:"
        if said:
            await consent.answered(self._gateway, ctx, state.pages, self._options.consent_seconds)
        return None
