"""The headers of an answer: LiteLLM's names and our own. Empty values are left out.

Bodies and statuses are the surfaces' business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from routeiq import __version__
from routeiq.known_secrets import conceal
from routeiq.server.refusals import SECURITY_HEADERS
from routeiq_sdk import Context, Deployment

RawHeaders = list[tuple[bytes, bytes]]

_KEPT_PROVIDER = ("x-ratelimit-", "retry-after")
_DROPPED_PROVIDER = frozenset(
    {
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "set-cookie",
        "keep-alive",
        "server",
        "date",
    }
)
_MOST_PROVIDER_BYTES = 1792
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]+")
NO_STORE = (b"cache-control", b"no-store")
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")
EMULATED = {"1.80": "1.80.10", "1.109": "1.109.1"}


class AnswerHeaders:
    """Writes headers for one runtime: what never changes is encoded once."""

    def __init__(self, profile: str, revision: str, *, https_only: bool = False) -> None:
        """`https_only` tells browsers to come back over TLS alone, for all ports of the name they used."""
        self._always: RawHeaders = [
            (b"x-litellm-version", EMULATED[profile].encode()),
            (b"x-routeiq-version", __version__.encode()),
            (b"x-routeiq-config", revision[:16].encode()),
            *SECURITY_HEADERS,
            *((_HTTPS_ONLY,) if https_only else ()),
        ]
        self._static: dict[str, RawHeaders] = {}

    def base(self, ctx: Context) -> RawHeaders:
        """What every answer carries, refused ones too."""
        request_id = ctx.request_id.encode()
        return [(b"x-litellm-call-id", request_id), (b"x-routeiq-request-id", request_id), *self._always]

    def around(self, ctx: Context, own: RawHeaders) -> RawHeaders:
        """`own` and what every answer carries beside it: a header that an answer words itself is not sent twice."""
        told = {name for name, _ in own}
        return [*own, *(pair for pair in (*self.base(ctx), NO_STORE) if pair[0] not in told)]

    def served(
        self,
        ctx: Context,
        deployment: Deployment,
        *,
        api_base: str,
        attempts: int,
        fallbacks: int,
        max_retries: int,
        timeout: float,
        upstream_ms: float,
        provider: Mapping[str, str],
    ) -> RawHeaders:
        """What an answer carries that a deployment gave."""
        headers = self.base(ctx)
        static = self._static.get(deployment.id)
        if static is None:
            static = self._static[deployment.id] = _static(deployment, api_base)
        headers += static
        elapsed = ctx.elapsed_ms()
        headers += [
            (b"x-litellm-attempted-retries", b"%d" % max(0, attempts - 1 - fallbacks)),
            (b"x-litellm-attempted-fallbacks", b"%d" % fallbacks),
            (b"x-litellm-max-retries", b"%d" % max_retries),
            (b"x-litellm-timeout", b"%g" % timeout),
            (b"x-litellm-response-duration-ms", b"%.3f" % elapsed),
            (b"x-litellm-overhead-duration-ms", b"%.3f" % max(0.0, elapsed - upstream_ms)),
        ]
        if ctx.cost is not None:
            headers.append((b"x-litellm-response-cost", usd(ctx.cost).encode()))
        if ctx.decision_id is not None:
            headers.append((b"x-routeiq-decision-id", ctx.decision_id.encode()))
        if ctx.decision is not None:
            headers.append((b"x-routeiq-strategy", _safe(ctx.decision.strategy)))
        headers += _provider(provider)
        return headers


def of_failure(provider: Mapping[str, str], timeout: float | None) -> dict[str, str]:
    """What an error carries about the provider that caused it."""
    told = {name.decode("latin-1"): conceal(value.decode("latin-1")) for name, value in _provider(provider)}
    return told if timeout is None else {"x-litellm-timeout": f"{timeout:g}", **told}


def usd(nano: int) -> str:
    """Nano-USD as a decimal number of USD, exact, without an exponent."""
    whole, rest = divmod(abs(nano), 10**9)
    sign = "-" if nano < 0 else ""
    return f"{sign}{whole}.{rest:09d}".rstrip("0").rstrip(".") if rest else f"{sign}{whole}.0"


def _static(deployment: Deployment, api_base: str) -> RawHeaders:
    pairs = {
        "x-litellm-model-id": deployment.id,
        "x-litellm-model-group": deployment.group,
        "x-litellm-model-name": f"{deployment.provider}/{deployment.model}",
        "x-litellm-model-api-base": api_base,
        "x-litellm-model-region": deployment.region,
        "x-routeiq-model": deployment.group,
    }
    return [(name.encode(), _safe(value)) for name, value in pairs.items() if value]


def _provider(headers: Mapping[str, str]) -> RawHeaders:
    out: RawHeaders = []
    size = 0
    for name, value in headers.items():
        lower = name.lower()
        if lower in _DROPPED_PROVIDER:
            continue
        pairs = [(b"llm_provider-" + _safe(lower), _safe(value))]
        if lower.startswith(_KEPT_PROVIDER):
            pairs.append((_safe(lower), pairs[0][1]))
        elif lower == "request-id" or (lower == "x-request-id" and "request-id" not in headers):
            pairs.append((b"request-id", pairs[0][1]))
        added = sum(len(key) + len(text) + 4 for key, text in pairs)
        if size + added <= _MOST_PROVIDER_BYTES:  # LiteLLM's clients expect less than 4 kB of headers in all
            size += added
            out += pairs
    return out


def line(name: str, value: str) -> tuple[bytes, bytes]:
    """A header that somebody else worded, as it may be sent."""
    return _safe(name.lower()), _safe(value)


def _safe(value: str) -> bytes:
    return _CONTROL.sub(b" ", value.encode("latin-1", "replace")).strip()
