"""A small client of a gateway's management routes for commands. Errors are one clear line.

It uses Python's own HTTP alone, so that a command starts at once.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import click

_SECONDS = 60.0
_PAGE = 500


class Refused(click.ClickException):
    """A request that the gateway refused, or a gateway that does not answer. Exit code 1."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(" ".join(message.split()))
        self.status = status


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Client:
    """Calls one gateway with one key."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise click.UsageError("--url is the address of the gateway, such as http://127.0.0.1:4000")
        if not key.isascii() or not key.isprintable():
            raise click.UsageError("the key has characters that no key has")
        self._url = url.rstrip("/")
        self._key = key
        self._opener = urllib.request.build_opener(_NoRedirects)

    def get(self, path: str, **query: Any) -> Any:
        """The answer of a GET; a parameter that is `None` is left out."""
        told = {name: value for name, value in query.items() if value is not None}
        return self.ask("GET", path + ("?" + urlencode(told) if told else ""))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer of a POST; a field that is `None` is left out."""
        return self.ask("POST", path, {name: value for name, value in body.items() if value is not None})

    def pages(self, path: str, rows: str, **query: Any) -> Iterator[Any]:
        """All rows of a listing, page after page."""
        page, pages = 1, 1
        while page <= pages:
            told = self.get(path, page=page, size=_PAGE, **query)
            yield from told[rows]
            pages = told.get("total_pages", 1)
            page += 1

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer. Raises `Refused`."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"authorization": f"Bearer {self._key}", "accept": "application/json"}
        if data is not None:
            headers["content-type"] = "application/json"
        request = urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310 (checked above)
        try:
            with self._opener.open(request, timeout=_SECONDS) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise Refused(_message(error), error.code) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise Refused(f"no gateway answers at {self._url}: {reason}") from None
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            found = None
        if not isinstance(found, dict | list | int):  # LiteLLM answers some deletions with a number
            raise Refused(f"{self._url} does not answer as a gateway does: is the address right?")
        return found


def named(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


def _message(error: urllib.error.HTTPError) -> str:
    try:
        told = json.loads(error.read())
    except (ValueError, OSError):
        return f"HTTP {error.code} {error.reason}"
    found = told.get("error", told.get("detail", told)) if isinstance(told, dict) else told
    if isinstance(found, dict):
        found = found.get("message") or found.get("error") or found
    hint = " (does the gateway run with governance?)" if error.code == 404 and found == "Not Found" else ""
    return f"{found}{hint}"


def confirmed(text: str, *, yes: bool) -> None:
    """Ask before something is gone. Raises `click.Abort` when the answer is no."""
    if not yes and sys.stdin.isatty():
        click.confirm(text, abort=True, err=True)
