"""Images and files that a prompt names by URL, fetched through the egress and put into the prompt itself.

litellm would fetch them for most providers, with the operator's reach; so it never sees such a URL.
"""

from __future__ import annotations

import asyncio
import base64
import mimetypes
from collections.abc import Iterator
from typing import Any

import aiohttp

from routeiq.egress import Egress, EgressRefused, OutOfReach, Reach
from routeiq_sdk import RequestError

MOST_URLS = 16
MOST_BYTES = 16 << 20
MOST_SECONDS = 30.0
MOST_REDIRECTS = 3

_REMOTE = ("http://", "https://")
_MEDIA = ("image/", "audio/", "video/", "application/pdf", "text/plain")
_SPOKEN = frozenset({"text", "refusal", "thinking", "signature"})

Part = dict[str, Any]


async def inline(egress: Egress, messages: Any, reach: Reach | None = None) -> None:
    """Replace remote URLs in the content parts of `messages`, in place. Raises `RequestError`."""
    found = list(_remote_parts(messages))
    if not found:
        return
    urls = {url: param for part, param in found for url in [_url(part, param)]}
    if len(urls) > MOST_URLS:
        raise RequestError(400, f"messages: more than {MOST_URLS} remote images or files", param="messages")
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {url: group.create_task(_fetch(egress, url, param, reach)) for url, param in urls.items()}
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    for part, param in found:
        _replace(part, tasks[_url(part, param)].result())


def _remote_parts(messages: Any) -> Iterator[tuple[Part, str]]:
    for place, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        for number, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, dict) and _holds_url(part):
                yield part, f"messages.{place}.content.{number}"


def _holds_url(value: Any) -> bool:
    if isinstance(value, str):
        return value.lstrip()[:8].lower().startswith(_REMOTE)
    if isinstance(value, dict):
        return any(_holds_url(item) for name, item in value.items() if name not in _SPOKEN)
    return isinstance(value, list) and any(_holds_url(item) for item in value)


def _url(part: Part, param: str) -> str:
    """The one URL of an image or a file. Other parts with a URL are refused: who knows who would fetch it."""
    kind = part.get("type")
    holder = part.get(kind) if kind in ("image_url", "file") else None
    url: Any = None
    if kind == "image_url":
        url = holder.get("url") if isinstance(holder, dict) else holder
    elif kind == "file" and isinstance(holder, dict):
        url = holder.get("file_id") or holder.get("file_data")
    if not isinstance(url, str) or not _holds_url(url):
        raise RequestError(400, f"{param}: send this content inline; its URL is not fetched", param=param)
    return url.strip()


def _replace(part: Part, data: str) -> None:
    if part["type"] == "file":
        part["file"] = {**part["file"], "file_data": data}
        part["file"].pop("file_id", None)
    elif isinstance(part["image_url"], dict):
        part["image_url"] = {**part["image_url"], "url": data}
    else:
        part["image_url"] = {"url": data}


async def _fetch(egress: Egress, url: str, param: str, reach: Reach | None) -> str:
    try:
        fetched = await egress.fetch(
            url, max_bytes=MOST_BYTES, timeout=MOST_SECONDS, redirects=MOST_REDIRECTS, reach=reach
        )
    except OutOfReach as refused:
        why = f"{param}: the egress list of {refused.tenant!r} (routeiq.egress.tenants) does not cover this URL"
        raise RequestError(403, why, type="permission_error", param=param) from None
    except (EgressRefused, aiohttp.ClientError, TimeoutError, OSError):
        # Why it failed would tell a stranger what is reachable from here.
        raise _unreadable(param, "the gateway cannot fetch this URL") from None
    if fetched.status != 200:
        raise _unreadable(param, f"its server answered with status {fetched.status}")
    kind = fetched.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith(_MEDIA):
        kind = mimetypes.guess_type(fetched.url.target.partition("?")[0])[0] or ""
    if not kind.startswith(_MEDIA):
        raise _unreadable(param, "its server does not say that it is an image or a document")
    return f"data:{kind};base64,{base64.b64encode(fetched.body).decode()}"


def _unreadable(param: str, why: str) -> RequestError:
    return RequestError(400, f"{param}: {why}", param=param)
