"""The user has to agree at a page first: asking the client to open it, and waiting until it happened.

Pages and grants belong to the plugin that delegates; a legacy server behind the gateway may ask the same of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from routeiq_mcp.seams import McpError
from routeiq_mcp.wire import codes
from routeiq_sdk import Context, Gateway
from routeiq_sdk.values.delegation import ConsentNeeded

_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Page:
    """A page that the user shall visit. `ours` says that the gateway itself knows when it was answered."""

    id: str
    url: str
    message: str
    ours: bool

    def asked(self) -> dict[str, Any]:
        """The params of `elicitation/create`."""
        return {"mode": "url", "elicitationId": self.id, "url": self.url, "message": self.message}

    def told(self) -> str:
        """The same as a text, in which the link stands once."""
        if self.url in self.message:
            return self.message
        return f"{self.message}: {self.url}" if self.message else self.url


def pages(error: BaseException) -> Sequence[Page]:
    """The pages that an error asks the user to visit; none for any other error."""
    if isinstance(error, ConsentNeeded):
        return (Page(error.id, error.url, str(error), True),)
    if isinstance(error, McpError) and error.code == codes.URL_ELICITATION_REQUIRED and isinstance(error.data, Mapping):
        asked = error.data.get("elicitations")
        if isinstance(asked, Sequence) and not isinstance(asked, str):
            return tuple(
                Page(str(one.get("elicitationId", "")), str(one["url"]), str(one.get("message", "")), False)
                for one in asked[:10]
                if isinstance(one, Mapping) and "url" in one
            )
    return ()


def required(wanted: Sequence[Page]) -> McpError:
    """The error of 2025-11-25 that names the pages."""
    return McpError(
        codes.URL_ELICITATION_REQUIRED,
        "the user has to agree first; open the page",
        {"elicitations": [page.asked() for page in wanted]},
    )


def told(method: str, wanted: Sequence[Page], why: str) -> dict[str, Any]:
    """What a client reads that cannot be asked to open a page: the link itself.

    Raises `McpError` for a request that has no result for such a text.
    """
    links = "\n".join(page.told() for page in wanted)
    return tool_error(method, f"{why}\n{links}", {"elicitations": [page.asked() for page in wanted]})


def tool_error(method: str, text: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A failed tool's result that says `text`. Raises `McpError` with it, and with `data`, for a request that calls no
    tool."""
    if method == "tools/call":
        return {"resultType": "complete", "isError": True, "content": [{"type": "text", "text": text}]}
    raise McpError(codes.REFUSED, text, data)


async def answered(gateway: Gateway, ctx: Context, wanted: Sequence[Page], seconds: float) -> bool:
    """Wait until the user answered at all pages that the gateway knows of. Says whether that happened in time."""
    delegation = gateway.delegation
    ours = [page.id for page in wanted if page.ours]
    if delegation is None or not ours:
        return True
    try:
        async with asyncio.timeout(seconds):
            for id in ours:
                # The answer is a row in a store, and may be written by another replica.
                while not await delegation.answered(ctx, id):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        return False
    return True
