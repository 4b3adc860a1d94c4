"""Two thousand values to send where a key belongs, the same ones each time, and all the places where keys are read.

Nothing here sends them.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator

OWN_HEADER = "x-my-gateway-key"
"""What `general_settings.litellm_key_header_name` names in the tests."""
Place = Callable[[bytes], tuple[bytes, bytes]]


def _header(name: str, prefix: bytes = b"") -> Place:
    return lambda value: (name.encode(), prefix + value)


PLACES: dict[str, Place] = {
    "authorization: Bearer": _header("authorization", b"Bearer "),
    "authorization: Basic": _header("authorization", b"Basic "),
    "authorization": _header("authorization"),
    "authorization: SigV4": lambda value: (
        b"authorization",
        b"AWS4-HMAC-SHA256 Credential=Bearer " + value + b"/20260101/us-east-1/bedrock/aws4_request",
    ),
    "x-litellm-api-key": _header("x-litellm-api-key"),
    "api-key": _header("api-key"),
    "x-api-key": _header("x-api-key"),
    "x-goog-api-key": _header("x-goog-api-key"),
    "ocp-apim-subscription-key": _header("ocp-apim-subscription-key"),
    OWN_HEADER: _header(OWN_HEADER, b"Bearer "),
}
SLEEP_SECONDS = 5
_TABLES = ("routeiq_keys", "pg_shadow", "sqlite_master", "LiteLLM_VerificationToken", "information_schema.tables")
_QUOTES = ("'", '"', "`", "')", '")', "$$", "\\'", "%27", "\u2019", "\uff07", "''")
_CONDITIONS = ("OR 1=1", "OR 'a'='a'", "OR TRUE", "AND 1=0 OR 1=1", "|| true", "OR id IS NOT NULL", "OR 1=1 LIMIT 1")
_COMMENTS = ("--", "-- -", "#", "/*", ";--", ";%00", "--\u00a0")
_SLEEPS = (
    "pg_sleep({n})",
    "(SELECT pg_sleep({n}))",
    "1;SELECT pg_sleep({n})",
    "(SELECT 1 FROM pg_sleep({n}))",
    "CASE WHEN 1=1 THEN pg_sleep({n}) END",
    "SLEEP({n})",
    "WAITFOR DELAY '0:0:{n}'",
    "randomblob(900000000)",
    "dbms_pipe.receive_message('a',{n})",
)
_SIGNS = "abcXYZ019-_.~!#$&*'\"`;:,<>/\\|(){}[]%=+ \u00e9\u4e2d\u202e\u200b\U0001f600\ufeff\u0130\u0131"
_FORMATS = ("%s", "%n%n%n", "{}", "{0}", "{0.__class__.__mro__}", "%(x)s", "$1", ":id", "?", "@p", "${jndi:ldap://x/a}")
_WORDS = ("null", "undefined", "None", "true", "NaN", "0", "-1", "[]", "{}", "master", "admin", "gateway", "*", "sk-")
_CONTROLS = ("\x00", "\r\n", "\n", "\r", "\x0b", "\x1b[31m", "\x7f", "\x08", "\x85")
SPLITTING = (
    "x\r\nx-admin: 1",
    "x\r\nauthorization: Bearer y",
    "x\r\ncontent-length: 0",
    "x\r\ntransfer-encoding: chunked",
    "x\r\n\r\nGET /key/list HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    "x\n\nGET /key/list HTTP/1.1\nhost: localhost\n\n",
    "x\r\nhost: elsewhere",
    "x\r\n y",
)


def values(count: int = 2000) -> list[str]:
    """So many different ones, each family in turn."""
    rng = random.Random(26)
    families = [_injections(rng), _sleeps(rng), _unicode(rng), _controls(rng), _formats(rng), _json(rng)]
    families += [_long(rng), _base64(rng), _tokens(rng), _noise(rng), iter(SPLITTING + _WORDS)]
    found: dict[str, None] = {}
    while len(found) < count:
        for family in list(families):
            value = next(family, None)
            if value is None:
                families.remove(family)
            elif value.strip():
                found[value] = None
    return list(found)[:count]


def http_permits(value: str) -> bool:
    """Whether HTTP/1.1 lets the value be in a header: no controls but the tab, and no more than a head may hold."""
    return len(value.encode()) < 60_000 and not any(
        letter < " " or letter == "\x7f" for letter in value if letter != "\t"
    )


def _injections(rng: random.Random) -> Iterator[str]:
    while True:
        quote, comment = rng.choice(_QUOTES), rng.choice(_COMMENTS)
        tail = rng.choice(
            (
                f"{quote} {rng.choice(_CONDITIONS)} {comment}",
                f"{quote} UNION SELECT {', '.join(['NULL'] * rng.randint(1, 30))} FROM {rng.choice(_TABLES)} {comment}",
                f"{quote}; DROP TABLE {rng.choice(_TABLES)}; {comment}",
                f"{quote}; UPDATE routeiq_keys SET blocked=false; {comment}",
                f"{quote} AND (SELECT count(*) FROM {rng.choice(_TABLES)}) > {rng.randint(0, 99)} {comment}",
                f"{quote}/**/{rng.choice(_CONDITIONS).replace(' ', '/**/')}{comment}",
                f"{quote}; COPY (SELECT '') TO PROGRAM 'id'; {comment}",
            )
        )
        yield f"{rng.choice(('sk-', '', 'sk-1234', '0' * 64))}{tail}"


def _sleeps(rng: random.Random) -> Iterator[str]:
    while True:
        sleep = rng.choice(_SLEEPS).format(n=SLEEP_SECONDS)
        joint = rng.choice((" OR ", " AND ", "; SELECT ", "||", " UNION SELECT "))
        yield f"sk-{rng.randint(0, 999)}{rng.choice(_QUOTES)}{joint}{sleep}{rng.choice(_COMMENTS)}"


def _unicode(rng: random.Random) -> Iterator[str]:
    while True:
        points = [rng.choice((0xE9, 0x4E2D, 0x202E, 0x200B, 0x1F600, 0xFEFF, 0xFF07, 0x2028, 0x0301)) for _ in range(9)]
        yield "sk-" + "".join(map(chr, points)) + str(rng.randint(0, 10**6))


def _controls(rng: random.Random) -> Iterator[str]:
    while True:
        yield f"sk-{rng.randint(0, 10**6)}{rng.choice(_CONTROLS)}{rng.choice(_CONDITIONS)}"


def _formats(rng: random.Random) -> Iterator[str]:
    while True:
        yield "sk-" + "".join(rng.choices(_FORMATS, k=rng.randint(1, 6))) + str(rng.randint(0, 999))


def _json(rng: random.Random) -> Iterator[str]:
    while True:
        value = {"$ne": None, "key": rng.choice(_WORDS), "n": rng.randint(0, 10**6), "a": [[[]]]}
        yield json.dumps({name: value[name] for name in rng.sample(sorted(value), rng.randint(1, 4))})


def _long(rng: random.Random) -> Iterator[str]:
    for size in (511, 512, 513, 2_000, 8_000, 16_000, 30_000, 60_001, 70_000, 200_000):
        yield "sk-" + rng.choice("aZ'%\u00e9") * size
    while True:
        yield "sk-" + rng.choice("aZ'%{") * rng.randint(500, 4_000)


def _base64(rng: random.Random) -> Iterator[str]:
    while True:
        raw = rng.randbytes(rng.randint(1, 90))
        yield rng.choice(("", "sk-")) + base64.b64encode(raw).decode()[: rng.choice((None, -1, -2))]


def _tokens(rng: random.Random) -> Iterator[str]:
    while True:
        header = {"alg": rng.choice(("none", "None", "nOnE", "HS256", "RS256", "", 0, None)), "typ": "JWT"}
        header |= rng.choice(({}, {"kid": "../../dev/null"}, {"kid": "' OR 1=1 --"}, {"jku": "http://127.0.0.1:1/k"}))
        claims = {"sub": rng.choice(("admin", "master", "' OR 1=1")), "exp": 9_999_999_999, "n": rng.randint(0, 10**6)}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
        yield ".".join([*parts, rng.choice(("", "AA", "e30", "=" * 8, "..", "x" * 86))])


def _noise(rng: random.Random) -> Iterator[str]:
    while True:
        yield "".join(rng.choices(_SIGNS, k=rng.randint(2, 120)))
