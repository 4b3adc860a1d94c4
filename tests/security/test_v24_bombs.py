"""V24: bodies and heads made to cost much more than they weigh are refused, or are served for what they weigh."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import json
import random
import zlib
from typing import Any

import pytest
import zstandard

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, anthropic_row, openai_row
from routeiq_testkit.raw import RawReply, raw_exchange, raw_request

pytestmark = pytest.mark.timeout(60)  # an explosion does not end in that time; what is refused takes milliseconds

MIB = 1 << 20
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


async def start(gateway: Any, up: ScriptedUpstream, **limits: Any) -> TestGateway:
    rows = [openai_row("fast", up.base_url), anthropic_row("claude", up.origin)]
    settings = {"num_retries": 0}
    return await gateway({"model_list": rows, "router_settings": settings, "routeiq": {"limits": limits}})


async def post(running: TestGateway, body: bytes, *headers: tuple[str, str], path: str = CHAT) -> RawReply:
    told = [("Host", "localhost"), ("Authorization", f"Bearer {running.key}"), ("Content-Type", "application/json")]
    told += [*headers, ("Content-Length", str(len(body)))]
    return await raw_exchange(running.url, raw_request("POST", path, *told, body=body), quiet_seconds=20)


def chat(extra: bytes = b"", messages: bytes = b'[{"role":"user","content":"hello"}]') -> bytes:
    return b'{"model":"fast","messages":' + messages + (b"," + extra if extra else b"") + b"}"


PLAIN = chat()
BOMB = b'{"model":"fast","x":"' + b"0" * (16 * MIB) + b'"}'
ENCODED = {
    "gzip": gzip.compress(BOMB, 6),
    "x-gzip": gzip.compress(PLAIN),
    "deflate": zlib.compress(BOMB, 6),
    "zstd": zstandard.compress(BOMB),
    "br": b"\x8b\x00\x80" + PLAIN,
    "compress": PLAIN,
    "bzip2": bz2.compress(BOMB, 1),
    "gzip, gzip": gzip.compress(gzip.compress(BOMB, 6)),
    "identity, gzip": gzip.compress(PLAIN),
    "GZIP": gzip.compress(PLAIN),
    " gzip ": gzip.compress(PLAIN),
    "aws-chunked": PLAIN,
    "nonsense": PLAIN,
}


@pytest.mark.parametrize("coding", ENCODED)
@pytest.mark.parametrize("path", [CHAT, MESSAGES, "/routeiq/v1/route", "/routeiq/v1/reload"])
async def test_a_compressed_body_is_refused_unopened(gateway, scripted_upstream, coding: str, path: str) -> None:
    running = await start(gateway, scripted_upstream)
    reply = await post(running, ENCODED[coding], ("Content-Encoding", coding), path=path)
    assert (reply.status, reply.headers["accept-encoding"], b"encoded_body" in reply.body) == (415, "identity", True)
    assert reply.closed
    assert scripted_upstream.requests == []


async def test_two_lines_of_encoding_hide_nothing_and_identity_is_none(gateway, scripted_upstream) -> None:
    running = await start(gateway, scripted_upstream)
    hidden = [("Content-Encoding", "identity"), ("Content-Encoding", "gzip")]
    assert (await post(running, gzip.compress(PLAIN), *hidden)).status == 415
    assert (await post(running, PLAIN, ("Content-Encoding", "identity"))).status == 200


async def test_compressed_bytes_without_a_word_are_no_json(gateway, scripted_upstream) -> None:
    running = await start(gateway, scripted_upstream)
    assert (await post(running, ENCODED["gzip"])).status == 400


REFUSED = {
    "NaN": chat(b'"temperature":NaN'),
    "Infinity": chat(b'"temperature":-Infinity'),
    "arrays in arrays": chat(b'"x":' + b"[" * 10_000 + b"]" * 10_000),
    "objects in objects": chat(b'"x":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "both, unclosed": chat(b'"x":' + b'[{"a":' * 50_000),
    "a million brackets": b"[" * MIB,
    "brackets in messages": chat(messages=b"[" * 5_000 + b"]" * 5_000),
    "a lone surrogate": chat(b'"user":"\\ud800"'),
    "lone surrogates inside": chat(messages=b'[{"role":"user","content":"\\udfff\\ud800"}]'),
    "a surrogate as a key": chat(b'"\\ud800":1'),
    "raw surrogate bytes": chat(b'"user":"\xed\xa0\x80"'),
    "overlong UTF-8": chat(b'"user":"\xc0\xaf"'),
    "a byte-order mark": b"\xef\xbb\xbf" + PLAIN,
    "UTF-16": PLAIN.decode().encode("utf-16"),
    "UTF-32": PLAIN.decode().encode("utf-32"),
    "a control character": chat(b'"user":"a\x01b"'),
    "numbers with a leading zero": chat(b'"seed":0123'),
    "hexadecimal": chat(b'"seed":0x10'),
    "a comment": chat(b'"seed":1/**/'),
    "two documents": PLAIN + PLAIN,
    "zero bytes behind": PLAIN + b"\0" * MIB,
}


@pytest.mark.parametrize("name", REFUSED)
async def test_json_that_two_parsers_may_read_differently_is_refused(gateway, scripted_upstream, name: str) -> None:
    running = await start(gateway, scripted_upstream)
    reply = await post(running, REFUSED[name])
    assert 400 <= reply.status < 500, (name, reply.status, reply.data[-200:])
    assert b"error" in reply.body
    assert scripted_upstream.requests == []


@pytest.mark.parametrize("number", [b"9" * 200_000, b"-" + b"9" * 200_000, b"1e999999999", b"0." + b"3" * 200_000])
async def test_a_number_that_fits_nowhere_is_passed_on_unread_or_refused(
    gateway, scripted_upstream, number: bytes
) -> None:
    """Who need not read it does not: it costs its bytes. Who must, for a provider of another wire, refuses it."""
    running = await start(gateway, scripted_upstream)
    assert (await post(running, chat(b'"seed":' + number))).status == 200
    assert number in scripted_upstream.requests[-1].body
    for field in (b"temperature", b"max_tokens", b"n", b"top_p", b"timeout", b"num_retries"):
        body = chat(b'"' + field + b'":' + number).replace(b'"fast"', b'"claude"')
        reply = await post(running, body)
        assert reply.status in (200, 400), (field, reply.status, reply.data[-300:])


async def test_of_duplicate_keys_one_is_judged_and_the_same_one_is_sent(gateway, scripted_upstream) -> None:
    """What the gateway decides by must be what the provider sees, and no key may be seen twice."""
    running = await start(gateway, scripted_upstream)
    body = b'{"model":"nobody","messages":[],"model":"fast","messages":[{"role":"user","content":"second"}]}'
    assert (await post(running, body)).status == 200
    sent = scripted_upstream.requests[-1].body
    pairs = json.loads(sent, object_pairs_hook=list)
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names))
    assert b"second" in sent
    body = b'{"model":"fast","messages":[{"role":"user","content":"x"}],"model":"nobody"}'
    assert (await post(running, body)).status == 400
    for twice in (b'"api_base":1,"api_base":null', b'"api_base":"http://evil.example"'):
        assert (await post(running, chat(twice))).status == 400


async def test_many_keys_cost_what_they_weigh(gateway, scripted_upstream) -> None:
    running = await start(gateway, scripted_upstream)
    many = b",".join(b'"k%d":%d' % (number, number) for number in range(100_000))
    reply = await post(running, chat(many))
    assert reply.status in (200, 400)


async def test_many_messages_and_many_parts_cost_what_they_weigh(gateway, scripted_upstream) -> None:
    running = await start(gateway, scripted_upstream)
    message = b'{"role":"user","content":[{"type":"text","text":"x"}]}'
    for path in (CHAT, MESSAGES):
        body = chat(b'"max_tokens":5', b"[" + b",".join([message] * 30_000) + b"]")
        assert (await post(running, body, path=path)).status in (200, 400)


EVIL_TEXTS = {
    "keys": "sk-" + "a" * 400_000,
    "nearly keys": "sk-a" * 100_000,
    "bearers": "Bearer " * 60_000,
    "spaces": " " * 400_000 + "x",
    "addresses": "a@" * 200_000,
    "backslashes": "\\" * 400_000,
    "nested quantifiers": "a" * 400_000 + "!",
    "slashes": "/" * 400_000,
    "quotes": '"' * 400_000,
    "newlines": "\r\n" * 200_000,
}


@pytest.mark.parametrize("name", EVIL_TEXTS)
async def test_no_pattern_of_ours_explodes_on_text(gateway, scripted_upstream, name: str) -> None:
    """The same text as content, model, user and tag: none takes more than linear time."""
    running = await start(gateway, scripted_upstream)
    evil = EVIL_TEXTS[name]
    for body in (
        {"model": "fast", "messages": [{"role": "user", "content": evil}], "user": evil, "metadata": {"tags": [evil]}},
        {"model": evil, "messages": []},
        {"model": "fast", "messages": evil},
    ):
        assert (await post(running, json.dumps(body).encode())).status < 500
    short = evil[:20_000].encode("latin-1").replace(b"\r\n", b"  ")
    text = short.decode("latin-1")
    headers = [("Host", "localhost"), ("Authorization", text), ("X-Litellm-Tags", text)]
    for target, told in (("/v1/models", headers), ("/" + "a/" * 8_000, headers[:1])):
        reply = await raw_exchange(running.url, raw_request("GET", target, *told), quiet_seconds=20)
        assert 400 <= reply.status < 500


async def test_a_provider_cannot_bomb_the_gateway_either(gateway, scripted_upstream) -> None:
    running = await start(gateway, scripted_upstream)
    deep = '{"id":"x","choices":' + "[" * 100_000 + "]" * 100_000 + "}"
    for answer in (deep, '{"id":"x","choices":[],"usage":{"prompt_tokens":' + "9" * 100_000 + "}}", '{"id":' * 50_000):
        scripted_upstream.script(Reply.not_json(answer))
        reply = await post(running, PLAIN)
        assert reply.status in (200, 500, 502), reply.data[:200]
        assert b"Internal error" not in reply.body
    assert (await post(running, PLAIN)).status == 200


@pytest.mark.parametrize("count", [2_000, 20_000])
async def test_very_many_headers_are_refused(gateway, scripted_upstream, count: int) -> None:
    running = await start(gateway, scripted_upstream)
    headers = [("Host", "localhost"), *((f"X-{number}", "") for number in range(count))]
    reply = await raw_exchange(running.url, raw_request("GET", "/health/liveliness", *headers), quiet_seconds=20)
    assert reply.status in (0, 400, 431) if count > 10_000 else reply.status in (200, 431)


@pytest.mark.parametrize("head_kib", [4, 16])
async def test_the_head_is_held_to_its_setting(gateway, scripted_upstream, head_kib: int) -> None:
    running = await start(gateway, scripted_upstream, head_kib=head_kib)
    for kib, fits in ((head_kib - 1, True), (head_kib + 1, False)):
        pad = ("X-Pad", "a" * (kib * 1024))
        reply = await raw_exchange(running.url, raw_request("GET", "/health/liveliness", ("Host", "localhost"), pad))
        assert (reply.status == 200) is fits, (kib, reply.status)


async def test_noise_never_is_a_fault_of_ours(gateway, scripted_upstream) -> None:
    """Mutated bodies, a fixed seed: an error is the sender's, never a 500, and the gateway serves on."""
    running = await start(gateway, scripted_upstream)
    dice = random.Random(24)
    asked = {"model": "fast", "messages": [{"role": "user", "content": "h\xe9llo"}], "n": 1, "stop": ["a"]}
    body = json.dumps(asked).encode()

    def mutated() -> bytes:
        data = bytearray(body)
        for _ in range(dice.randint(1, 6)):
            place = dice.randrange(len(data))
            data[place : place + dice.randint(0, 4)] = dice.randbytes(dice.randint(0, 4))
        return bytes(data)

    for _ in range(20):
        sent = [(mutated(), dice.choice((CHAT, MESSAGES))) for _ in range(25)]
        replies = await asyncio.gather(*(post(running, data, path=path) for data, path in sent))
        assert [reply.data[:300] for reply in replies if not 200 <= reply.status < 500] == []
    assert (await post(running, PLAIN)).status == 200
