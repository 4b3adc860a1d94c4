"""What can go wrong with an agent, and the error of the protocol that its caller hears.

No text of ours names an agent's address; an agent's own message is passed on, cut short.
"""

from __future__ import annotations

from a2a.client.errors import A2AClientError, A2AClientTimeoutError
from a2a.utils.errors import (
    JSON_RPC_ERROR_CODE_MAP,
    A2AError,
    InternalError,
    InvalidAgentResponseError,
    MethodNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.json_format import ParseError

from routeiq_a2a.registry.agent import Agent
from routeiq_sdk import RequestError, RouteIQError
from routeiq_sdk.values.delegation import Challenge, ConsentNeeded

_LONGEST_MESSAGE = 300


class AgentUnreachable(InternalError):
    """There is no connection to the agent, or none may be made."""


class AgentTimeout(InternalError):
    """The agent did not answer in time."""


class AgentRefuses(InternalError):
    """The agent refuses the gateway's credentials."""


class Refused(Exception):
    """The agent answered 401 or 403; the call may be tried once more with other credentials."""

    def __init__(self, challenge: Challenge) -> None:
        self.challenge = challenge
        super().__init__(f"status {challenge.status}")


class WrongAnswer(Exception):
    """The agent answered what is no A2A; the text says what, without its address."""


def translated(agent: Agent, error: BaseException) -> BaseException:
    """What to raise instead of `error`, which a call of `agent` raised."""
    name = agent.name
    if isinstance(error, (ConsentNeeded, RequestError)):
        return error
    if isinstance(error, Refused):
        return AgentRefuses(
            f"The agent {name!r} refuses the gateway's credentials (status {error.challenge.status}). "
            "Whoever runs the gateway can mend its `auth`."
        )
    if isinstance(error, WrongAnswer):
        return InvalidAgentResponseError(f"The agent {name!r} {error}.")
    if isinstance(error, (A2AClientTimeoutError, TimeoutError)):
        return AgentTimeout(f"The agent {name!r} did not answer in time.")
    if isinstance(error, (AgentUnreachable, AgentTimeout, InvalidAgentResponseError)):
        return error
    if isinstance(error, A2AClientError):
        return InvalidAgentResponseError(f"The agent {name!r} did not answer as A2A asks.")
    if isinstance(error, (MethodNotFoundError, NotImplementedError)):  # the library's own word for what 0.3 has not
        return UnsupportedOperationError(f"The agent {name!r} does not know this operation.")
    if isinstance(error, A2AError) and type(error) in JSON_RPC_ERROR_CODE_MAP:
        return type(error)(str(error.message)[:_LONGEST_MESSAGE])
    if isinstance(error, (RouteIQError, OSError)) or _is_of_the_network(error):
        return AgentUnreachable(f"The agent {name!r} cannot be reached.")
    if isinstance(error, (ParseError, ValueError, TypeError, KeyError, AttributeError)):
        return InvalidAgentResponseError(f"The agent {name!r} did not answer as A2A asks.")
    return error


def _is_of_the_network(error: BaseException) -> bool:
    # The egress' own client raises its library's errors, which plugins do not import.
    return any(kind.__module__.startswith("aiohttp") for kind in type(error).__mro__)
