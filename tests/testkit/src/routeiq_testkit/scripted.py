"""The scripted upstream: a model provider that does exactly what a test tells it, and remembers what it was asked.
It decides which reply a request gets; what replies do lives in `replies`.
"""

from __future__ import annotations

from collections import defaultdict, deque

from . import openai_wire
from .http1 import Http1Server
from .recording import RecordedRequest
from .replies import BaseReply, Reply


class ScriptedUpstream(Http1Server):
    """An upstream on a loopback port of its own.

        async with ScriptedUpstream() as up:
            up.script(Reply.rate_limited(1), Reply.chat("second time lucky"))
            ...  # point a deployment's api_base at up.base_url and call the gateway
            assert [request.model for request in up.requests] == ["m", "m"]

    A request takes the next reply scripted for its model, else the next of the common script, else the model's
    default, else `default`. `GET .../models` is answered by itself and takes nothing from a script.
    """

    def __init__(self, *, models: tuple[str, ...] = ("scripted-model",), default: Reply | None = None) -> None:
        super().__init__()
        self.default: BaseReply = default or Reply.fitting()
        self.requests: list[RecordedRequest] = []
        self._models = models
        self._script: deque[BaseReply] = deque()
        self._script_by_model: defaultdict[str, deque[BaseReply]] = defaultdict(deque)
        self._default_by_model: dict[str, BaseReply] = {}

    def script(self, *replies: BaseReply) -> None:
        """Queue replies for the coming requests, in order."""
        self._script.extend(replies)

    def script_for(self, model: str, *replies: BaseReply) -> None:
        """Queue replies for the coming requests whose body names this model."""
        self._script_by_model[model].extend(replies)

    def default_for(self, model: str, reply: BaseReply) -> None:
        """Answer this model so whenever nothing is scripted."""
        self._default_by_model[model] = reply

    @property
    def unplayed(self) -> int:
        """How many scripted replies no request has taken."""
        return len(self._script) + sum(map(len, self._script_by_model.values()))

    async def until_requests(self, number: int = 1, *, timeout: float = 20.0) -> RecordedRequest:
        """Wait until this many requests have arrived whole; returns the last of them."""
        await self.until(lambda: len(self.requests) >= number, timeout=timeout)
        return self.requests[number - 1]

    def answer(self, request: RecordedRequest) -> BaseReply:
        self.requests.append(request)
        self.notice()
        if request.method == "GET" and request.path.endswith("/models"):
            names = dict.fromkeys([*self._models, *self._script_by_model, *self._default_by_model])
            return Reply.json(openai_wire.models({name: {} for name in names}))
        model = request.model or ""
        for queue in (self._script_by_model.get(model), self._script):
            if queue:
                return queue.popleft()
        return self._default_by_model.get(model, self.default)
