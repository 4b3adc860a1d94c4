"""Inputs that no honest client or provider sends, made from ones that they do, and what reads them in the product.

A target takes one input and may raise what its callers turn into an answer; anything else is a crash. There is no
multipart among them: the gateway has no route that takes it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from routeiq.errors import Errors
from routeiq.request import frames
from routeiq.request.auth import conceal, credential
from routeiq.request.translation import StreamTranslation, whole_answer
from routeiq.request.understanding import understand
from routeiq.routes import decisions
from routeiq.routes.llm import CHAT
from routeiq.surfaces.base import Surface
from routeiq.surfaces.completions import CompletionSurface
from routeiq.surfaces.embeddings import EmbeddingSurface
from routeiq.surfaces.messages import CountTokensSurface, MessageSurface
from routeiq.wires import anthropic_requests, completions, sse
from routeiq.wires.body import Malformed, read_fields
from routeiq.wires.depth import too_deep
from routeiq_governance.api.shapes import body_of
from routeiq_oidc.tokens import strict
from routeiq_oidc.tokens.refusal import Refused
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import Headers, HttpRequest

from .fuzz_seeds import (
    BODIES,
    CHAT_ANSWER,
    CHAT_BODY,
    CHAT_CHUNKS,
    COMPLETION_BODY,
    EMBEDDING_BODY,
    MESSAGE_ANSWER,
    MESSAGE_BODY,
    MESSAGE_EVENTS,
)

ERRORS = Errors("1.109")
SURFACES: tuple[Surface, ...] = (CHAT, CompletionSurface(), EmbeddingSurface(), MessageSurface(), CountTokensSurface())
DEPTH = 64


@dataclass(frozen=True)
class Target:
    """`run` takes what `make` makes."""

    name: str
    make: Callable[[random.Random], Any]
    run: Callable[[Any], object]
    expected: tuple[type[BaseException], ...] = ()


# How they are spoilt.

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**18, -(10**18), 1e308, "", "x", "\u202e", "\u0000", "null", "[DONE]",
    "data: x\n\ndata: y", "a" * 3000, "\U0001f600", "{", '{"a":', [], {}, [None], [[]], [{}], {"": None}, ["text"],
    {"type": "text"}, {"type": None}, {"role": "user"}, {"index": "0"}, {"index": -1}, {"index": 10**9},
    {"index": True}, {"function": None}, {"arguments": 5},
)  # fmt: skip
BYTES = (
    b"", b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u",
    b"\\ud800", b"\n", b"\r", b"\n\n", b"\r\n\r\n", b"data:", b"event: x\n", b"1e999", b"-", b"NaN", b"\xef\xbb\xbf",
    b"\x85", b"9" * 400,
)  # fmt: skip


def spoilt(rng: random.Random, value: Any, times: int = 0) -> Any:
    """A copy with a few places changed: replaced, removed, doubled, swapped, wrapped, renamed."""
    copy = orjson.loads(orjson.dumps(value))
    for _ in range(times or rng.choice((1, 1, 1, 2, 3, 6))):
        places = list(_places(copy, None, None))
        holder, key = rng.choice(places)
        if holder is None:
            if rng.random() < 0.1:
                copy = _odd(rng)
            continue
        act = rng.random()
        if act < 0.45:
            holder[key] = _odd(rng)
        elif act < 0.6:
            del holder[key]
        elif act < 0.7:
            holder[key] = [holder[key]]
        elif act < 0.8:
            other, at = rng.choice(places)
            holder[key] = orjson.loads(orjson.dumps(other[at])) if other is not None and _has(other, at) else None
        elif isinstance(holder, dict):
            holder[rng.choice(("", "type", "content", "index", "x" * 200, "__class__"))] = holder.pop(key)
        else:
            holder.append(_odd(rng))
    return copy


def _odd(rng: random.Random) -> Any:
    return deepcopy(rng.choice(ODD))


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else isinstance(key, int) and key < len(holder)


def _places(value: Any, holder: Any, key: Any) -> Iterator[tuple[Any, Any]]:
    yield holder, key
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from _places(inner, value, name)


def torn(rng: random.Random, raw: bytes) -> bytes:
    """Bytes with a few changed: cut, doubled, inserted, flipped."""
    out = bytearray(raw)
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        at = rng.randint(0, len(out))
        act = rng.random()
        if act < 0.4:
            out[at:at] = rng.choice(BYTES)
        elif act < 0.6:
            del out[at : at + rng.choice((1, 2, 9, 10**6))]
        elif act < 0.8 and at < len(out):
            out[at] ^= 1 << rng.randint(0, 7)
        else:
            out[at:at] = out[max(0, at - 20) : at]
    return bytes(out)


def nested(rng: random.Random) -> bytes:
    """Brackets, far too many of them, some in strings, some never closed."""
    pieces = rng.choices((b"{", b"[", b'{"a":', b"]", b"}", b'"[', b'"', b"\\", b"1", b","), k=rng.randint(1, 300))
    depth = rng.choice((1, DEPTH - 1, DEPTH, DEPTH + 1, 900, 3000))
    return rng.choice((b"".join(pieces), b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth))


def deepened(rng: random.Random, raw: bytes) -> bytes:
    """One text of a document replaced by a value that nests as deep as parsers go, and deeper."""
    texts = list(re.finditer(rb'"[^"\\\\]*"(?!:)', raw))
    if not texts:
        return raw
    depth = rng.choice((60, 120, 250, 260, 900, 1020, 1030))
    value = rng.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth))
    at = rng.choice(texts)
    return raw[: at.start()] + value + raw[at.end() :]


def json_bytes(rng: random.Random) -> tuple[int, bytes]:
    """Which surface, and a body for it."""
    if rng.random() < 0.05:
        return rng.randrange(len(SURFACES)), nested(rng)
    number = rng.randrange(len(SURFACES))
    seed = (CHAT_BODY, COMPLETION_BODY, EMBEDDING_BODY, MESSAGE_BODY, MESSAGE_BODY)[number]
    raw = orjson.dumps(spoilt(rng, seed) if rng.random() < 0.8 else seed)
    return number, torn(rng, raw) if rng.random() < 0.5 else raw


def read_body(told: tuple[int, bytes]) -> None:
    """As the road does, up to the text that guards would look at."""
    number, raw = told
    if too_deep(raw, DEPTH):
        return
    fields = read_fields(raw)
    surface = SURFACES[number]
    body = understand(surface, fields, None, ERRORS)
    surface.end_user(fields)
    body.json(), body.text(), body.last_user_text()


def stream_bytes(rng: random.Random) -> tuple[str, bytes, list[int]]:
    """A provider's wire, what it sends, and where the network cuts it."""
    wire = rng.choice(("openai-chat", "anthropic-messages"))
    events = CHAT_CHUNKS if wire == "openai-chat" else MESSAGE_EVENTS
    out = []
    for event in rng.sample(events, len(events)) if rng.random() < 0.3 else events:
        told = spoilt(rng, event, 1) if rng.random() < 0.5 else event
        name = told.get("type") if wire == "anthropic-messages" and isinstance(told, dict) else None
        out.append(sse.frame(orjson.dumps(told), name if isinstance(name, str) and rng.random() < 0.9 else None))
    raw = b"".join(out) + rng.choice((b"data: [DONE]\n\n", b"", b"data: ", b": ping\n\n"))
    if rng.random() < 0.5:
        raw = torn(rng, raw)
    elif rng.random() < 0.1:
        raw = deepened(rng, raw)
    if rng.random() < 0.2:
        raw = raw.replace(b"\n", rng.choice((b"\r\n", b"\r")))
    return wire, raw, sorted(rng.randint(0, len(raw)) for _ in range(rng.randint(0, 6)))


def read_stream(told: tuple[str, bytes, list[int]]) -> None:
    """As the relay does, to every client's wire; the frames are those of the whole, however it is cut."""
    wire, raw, cuts = told
    splitter, blocks, begin = sse.SseSplitter(), [], 0
    for cut in [*cuts, len(raw)]:
        blocks.append(splitter.feed(raw[begin:cut]))
        begin = cut
    found = [frame for block in blocks for frame in block]
    assert b"".join(found) + splitter.remainder == raw, "bytes are lost"
    assert found == sse.SseSplitter().feed(raw), "a cut changes frames"
    for frame in found:
        sse.parse_frame(frame)
        parsed = frames.parse(frame)
        if parsed.document is not None:
            frames.write(parsed, parsed.document)
        frames.finish_reason(frame), frames.response_id(frame)
    for surface in (SURFACES[0], SURFACES[1], SURFACES[3]):
        translation = StreamTranslation(wire, surface, "m")
        try:
            for block in blocks:
                translation.feed(b"".join(block))
            translation.end()
        except RequestError:
            continue


def answer_bytes(rng: random.Random) -> tuple[str, bytes]:
    """A provider's wire, and a whole answer of it."""
    wire = rng.choice(("openai-chat", "anthropic-messages"))
    seed = CHAT_ANSWER if wire == "openai-chat" else MESSAGE_ANSWER
    raw = orjson.dumps(spoilt(rng, seed))
    return wire, torn(rng, raw) if rng.random() < 0.1 else deepened(rng, raw) if rng.random() < 0.1 else raw


def read_answer(told: tuple[str, bytes]) -> None:
    """As a whole answer is read; what `Delivery` catches there is expected."""
    wire, raw = told
    frames.whole_usage(wire, raw)
    frames.whole_reason(wire, raw)
    for surface in (SURFACES[0], SURFACES[1], SURFACES[3]):
        try:
            orjson.dumps(whole_answer(raw, wire, surface, "m"))
        except (RequestError, ValueError, KeyError, TypeError, AttributeError):
            continue


def request_document(rng: random.Random) -> tuple[str, Any]:
    """A request of one wire, for the other one."""
    name = rng.choice(("chat", "completion", "messages"))
    return name, spoilt(rng, BODIES[name])


def translate_request(told: tuple[str, Any]) -> None:
    """As the attempt does for a deployment that speaks the other wire."""
    name, document = told
    if not isinstance(document, dict):
        return  # a body is an object, or it does not come so far
    if name == "messages":
        orjson.dumps(anthropic_requests.to_chat(document))
    elif name == "completion":
        orjson.dumps(completions.to_chat(document))
    else:
        orjson.dumps(anthropic_requests.from_chat(document))


def header_pairs(rng: random.Random) -> list[tuple[bytes, bytes]]:
    """Headers of a request, with credentials of all kinds."""
    names = (b"authorization", b"x-api-key", b"api-key", b"x-litellm-api-key", b"x-goog-api-key", b"cookie", b"x-own")
    values = (
        b"Bearer ",
        b"Basic ",
        b"bearer",
        b"AWS4-HMAC-SHA256 Credential=Bearer x/y",
        b"sk-abc",
        b" ",
        b"Credential=Bearer ",
    )
    return [(rng.choice(names), torn(rng, rng.choice(values) + rng.choice(BYTES))) for _ in range(rng.randint(0, 5))]


def read_headers(pairs: list[tuple[bytes, bytes]]) -> None:
    """As the edge does."""
    headers = Headers(pairs)
    told = credential(headers, "x-own")
    if told is not None and not told.isascii():
        told.encode("utf-8", "surrogateescape")
    conceal("a text with sk-abc in it", headers)
    if told:
        strict.is_token(told)


def token_text(rng: random.Random) -> str:
    """Something like a token."""
    good = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJ4IiwiZXhwIjo5OX0.c2lnbmF0dXJl"
    return torn(rng, torn(rng, good.encode())).decode("latin-1")


def read_token(text: str) -> None:
    """As the gate of identity providers does before it looks for a key."""
    if strict.is_token(text):
        strict.read(text)


def query_text(rng: random.Random) -> str:
    """A query of the decisions' search."""
    good = (
        b"limit=5&since=2026-01-01T00:00:00&min_ms=3&min_cost_usd=0.1&status=200&after=12:abc&model=m&until=2026-01-02"
    )
    return torn(rng, torn(rng, good)).decode("latin-1")


def read_query(text: str) -> None:
    """As the route does."""
    decisions._read(dict(parse_qsl(text, keep_blank_values=True)))


def management_bytes(rng: random.Random) -> bytes:
    """The body of a management request."""
    if rng.random() < 0.1:
        return nested(rng)
    return torn(
        rng, orjson.dumps(spoilt(rng, {"key_alias": "a", "max_budget": 1.5, "metadata": {"a": [1, {"b": None}]}}))
    )


def read_management(raw: bytes) -> None:
    """As every handler of one does."""
    body_of(HttpRequest("POST", "/key/generate", {}, {}, Headers([]), raw, None))


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target("body of a request", json_bytes, read_body, (RequestError, Malformed)),
        Target("stream of a provider", stream_bytes, read_stream),
        Target("answer of a provider", answer_bytes, read_answer),
        Target("request for another wire", request_document, translate_request, (RequestError,)),
        Target("headers", header_pairs, read_headers),
        Target("tokens", token_text, read_token, (Refused,)),
        Target("search of decisions", query_text, read_query, (RequestError,)),
        Target("body of a management request", management_bytes, read_management, (RequestError,)),
    )
}


def crash(target: Target, given: Any) -> BaseException | None:
    """What the target raises although nobody expects it."""
    try:
        target.run(given)
    except target.expected:
        return None
    except Exception as error:
        return error
    return None
