"""What every reply is: a name, a status, headers, a delay, and the steps that play it.
The kinds of reply live beside this module; the socket that plays the steps lives in `http1`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from routeiq_testkit import steps
from routeiq_testkit.openai_wire import encode
from routeiq_testkit.recording import RecordedRequest
from routeiq_testkit.steps import Head, Pause, Step

Content = Callable[[RecordedRequest, Head], Iterable[Step]]


@dataclass(frozen=True)
class BaseReply:
    """An immutable reply; the methods that change something return a new one, so a reply can be shared and reused."""

    name: str
    content: Content = field(repr=False)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0

    def steps(self, request: RecordedRequest) -> Iterator[Step]:
        if self.delay > 0:
            yield Pause(self.delay)
        yield from self.content(request, Head(self.status, self.headers))

    def delayed(self, seconds: float) -> Self:
        """The same reply after this latency."""
        return replace(self, delay=seconds)

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """The same reply with further headers; they win over those the kit would send."""
        return replace(self, headers={**self.headers, **headers})

    def chopped(self, size: int, gap: float = 0.0) -> Self:
        """The same bytes in writes of at most `size`, `gap` seconds apart: events and UTF-8 sequences are torn."""

        def content(request: RecordedRequest, head: Head) -> Iterable[Step]:
            return steps.chopped(self.content(request, head), size, gap)

        return replace(self, name=f"{self.name}, chopped", content=content)

    @classmethod
    def json(cls, body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """Any JSON object."""
        return cls._whole("json", lambda request: encode(body), status=status, headers=headers)

    @classmethod
    def choose(cls, pick: Callable[[RecordedRequest], BaseReply]) -> Self:
        """Decide by the request, when it has arrived; status and headers set on this reply are not used."""
        return cls("choose", lambda request, head: pick(request).steps(request))

    @classmethod
    def _whole(
        cls,
        name: str,
        body: Callable[[RecordedRequest], bytes],
        *,
        content_type: str = "application/json",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        def content(request: RecordedRequest, head: Head) -> Iterable[Step]:
            return steps.whole(_identified(head, request), body(request), content_type)

        return cls(name, content, status, dict(headers or {}))

    @classmethod
    def _events(
        cls,
        name: str,
        events: Callable[[RecordedRequest], Iterable[bytes]],
        *,
        first_delay: float = 0.0,
        gap: float = 0.0,
    ) -> Self:
        def content(request: RecordedRequest, head: Head) -> Iterable[Step]:
            paced = steps.paced(events(request), first_delay=first_delay, gap=gap)
            return steps.event_stream(_identified(head, request), paced)

        return cls(name, content)


def _identified(head: Head, request: RecordedRequest) -> Head:
    """Name the request as both providers do, each in its own header."""
    own = f"req_scripted_{request.number}"
    return Head(head.status, {"x-request-id": own, "request-id": own, **head.headers})
