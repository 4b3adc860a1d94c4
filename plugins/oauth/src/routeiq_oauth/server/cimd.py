"""Client ID metadata documents: a client whose id is the URL of its own description, fetched under the guard for
addresses that strangers name.

What a document may say is told in `metadata_of_clients`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

from routeiq_oauth.fetching import TIMEOUT_SECONDS, Document, FetchFailed, fetch_json
from routeiq_oauth.server.answers import OAuthError
from routeiq_oauth.server.metadata_of_clients import BadMetadata, ClientMetadata, read_metadata
from routeiq_oauth.urls import check_url
from routeiq_sdk import Gateway

log = logging.getLogger(__name__)

MOST_BYTES = 16 * 1024
_LONGEST_URL = 1024
_MOST_KEPT = 500
_MOST_FETCHES = 8
_FRESH_SECONDS, _LEAST_SECONDS, _MOST_SECONDS = 300.0, 30.0, 3600.0
_FAILED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Kept:
    outcome: ClientMetadata | OAuthError
    ends: float


class Documents:
    """Metadata of clients by URL, remembered for as long as their servers say, within bounds."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._fetching = asyncio.Semaphore(_MOST_FETCHES)

    async def metadata(self, url: str) -> ClientMetadata:
        """What a client says of itself. Raises `OAuthError`."""
        check_client_url(url)
        kept = self._kept.get(url)
        if kept is None or self._gateway.clock.monotonic() >= kept.ends:
            kept = await self._fetched(url)
        if isinstance(kept.outcome, OAuthError):
            raise OAuthError(kept.outcome.code, kept.outcome.description, kept.outcome.status)
        return kept.outcome

    async def _fetched(self, url: str) -> _Kept:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._fetching.acquire()
        except TimeoutError:
            raise OAuthError("temporarily_unavailable", "too many clients at once; try again", 503) from None
        outcome: ClientMetadata | OAuthError
        seconds = _FAILED_SECONDS
        try:
            document = await fetch_json(self._gateway, url, most_bytes=MOST_BYTES)
            outcome = _read(document, url)
            wanted = document.max_age if document.max_age is not None else _FRESH_SECONDS
            seconds = min(max(wanted, _LEAST_SECONDS), _MOST_SECONDS)
        except FetchFailed as error:
            log.info("a client's metadata document cannot be had: %s", error)
            outcome = OAuthError("invalid_client", "the client's metadata document cannot be fetched")
        except BadMetadata as error:
            outcome = OAuthError("invalid_client", f"the client's metadata document does not count: {error}")
        finally:
            self._fetching.release()
        self._kept.pop(url, None)
        kept = self._kept[url] = _Kept(outcome, self._gateway.clock.monotonic() + seconds)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return kept


def check_client_url(url: str) -> None:
    """Whether a client id is a URL that may be fetched. Raises `OAuthError`."""
    try:
        if len(url) > _LONGEST_URL:
            raise ValueError("too long")
        check_url(url)
        path = urlsplit(url).path
        if path in ("", "/") or any(part in (".", "..", "%2e", "%2e%2e") for part in path.lower().split("/")):
            raise ValueError("without a path of its own")
    except ValueError as error:
        raise OAuthError("invalid_client", f"this client id is no URL of a metadata document: {error}") from None


def _read(document: Document, url: str) -> ClientMetadata:
    told = document.value
    if not isinstance(told, dict) or told.get("client_id") != url:
        raise BadMetadata("its client_id is another")
    if "client_secret" in told or "client_secret_expires_at" in told:
        raise BadMetadata("it holds a secret")
    metadata = read_metadata(told, default_auth="none")
    if metadata.auth_method != "none":
        raise BadMetadata("a client of a public document has no secret; token_endpoint_auth_method: none")
    return metadata
