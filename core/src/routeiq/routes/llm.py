"""The model surfaces and their many paths: bare, `/v1`, engine and Azure forms.

What happens on them is the road's business.
"""

from __future__ import annotations

from collections.abc import Iterator

from routeiq.routes.exchange import Exchange
from routeiq.routes.table import Endpoint, Route
from routeiq.surfaces.base import Surface
from routeiq.surfaces.chat import ChatSurface
from routeiq.surfaces.completions import CompletionSurface
from routeiq.surfaces.embeddings import EmbeddingSurface
from routeiq.surfaces.messages import CountTokensSurface, MessageSurface

CHAT = ChatSurface()

_OPENAI = (
    (CHAT, "/chat/completions", "Chat completion", "chat:create"),
    (CompletionSurface(), "/completions", "Text completion (legacy)", "completion:create"),
    (EmbeddingSurface(), "/embeddings", "Embeddings", "embedding:create"),
)
_FORMS = ("/v1{}", "{}", "/engines/{{model:path}}{}", "/openai/deployments/{{model:path}}{}")


def routes() -> Iterator[Route]:
    """All routes that walk the road, to its end or up to the choice of a model."""
    for surface, path, summary, action in _OPENAI:
        for form in _FORMS:
            yield Route("POST", form.format(path), _walk(surface), "road", summary, surface, action)
    messages = MessageSurface()
    yield Route("POST", "/v1/messages", _walk(messages), "road", "Anthropic message", messages, "chat:create")
    counting = CountTokensSurface()
    count = "Count a message's tokens"
    yield Route("POST", "/v1/messages/count_tokens", _walk(counting), "road", count, counting, "chat:create")
    explain = "The choice of model for a chat request, uncalled"
    yield Route("POST", "/routeiq/v1/route", _explain, "road", explain, CHAT, "decision:preview")
    swallowed = "Client telemetry: taken and dropped"
    yield Route("POST", "/api/event_logging/batch", _swallow, "key", swallowed, messages, "telemetry:send", quiet=True)


def _walk(surface: Surface) -> Endpoint:
    async def walk(exchange: Exchange) -> None:
        model = exchange.params.get("model")
        await exchange.runtime.road.walk(exchange.ctx, surface, exchange.receive, exchange.send, asked_model=model)

    return walk


async def _explain(exchange: Exchange) -> None:
    await exchange.runtime.road.explain(exchange.ctx, CHAT, exchange.receive, exchange.send)


async def _swallow(exchange: Exchange) -> None:
    await exchange.body()  # Anthropic's clients send it along; unread, it would cost them their connection
    await exchange.json({})
