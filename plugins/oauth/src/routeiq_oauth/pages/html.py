"""Pages as text: every value is escaped, no script runs, nobody may frame them.

What a page says is told where it is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from routeiq_sdk.values.http import HttpResponse

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#1b1b1f}"
    "h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .6rem;"
    "border-bottom:1px solid #ddd}form{display:inline}button,input{font:inherit;padding:.35rem .8rem}"
    "code{overflow-wrap:anywhere}.warning{border-left:4px solid #b3261e;padding-left:.8rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


class Markup(str):
    """Text that is HTML already: only `markup` and `joined` make it."""

    __slots__ = ()


def markup(template: str, **values: object) -> Markup:
    """`template` with `{name}` filled in; whatever is no `Markup` is escaped, also inside quoted attributes."""
    safe = {
        name: value if isinstance(value, Markup) else html.escape(str(value), quote=True)
        for name, value in values.items()
    }
    return Markup(template.format_map(safe))


def joined(parts: Iterable[Markup]) -> Markup:
    """Several pieces, one after the other."""
    return Markup("".join(parts))


def page(
    title: str,
    body: Markup,
    *,
    status: int = 200,
    leads_to: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """A whole page. `leads_to` are URLs to which the answer to one of its forms may redirect: browsers hold a policy
    on forms against redirects, too. `headers` come on top, such as a cookie."""
    whole = markup(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title>'
        "<style>{style}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>",
        title=title,
        style=Markup(_STYLE),
        body=body,
    )
    return HttpResponse(
        status, whole.encode(), {**security_headers(leads_to), **(headers or {})}, "text/html; charset=utf-8"
    )


def redirect(url: str, *, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Send the browser on by a GET. The caller answers for `url`."""
    return HttpResponse(303, b"", {**security_headers(), **(headers or {}), "location": url}, "text/plain")


def leaving(url: str, where: str, *, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Send the browser on to another site after a form, by a page of its own: a redirect would be held against
    `form-action` along its whole way, which nobody here knows."""
    body = markup(
        '<p>You are going on to {where}.</p><p><a href="{url}" rel="noreferrer">Go on</a></p>', where=where, url=url
    )
    return page("Going on", body, headers={"refresh": f"0;url={url}", **(headers or {})})


def security_headers(leads_to: Iterable[str] = ()) -> dict[str, str]:
    """What every page is sent with: no scripts, no frames, no caches, no `Referer` elsewhere (addresses hold
    codes; with none at all browsers hide the origin of our own forms, too)."""
    targets = " ".join(("'self'", *dict.fromkeys(_source(url) for url in leads_to)))
    return {
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {targets}; "
        "frame-ancestors 'none'; base-uri 'none'",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
    }


def _source(url: str) -> str:
    """The origin of a URL, or its scheme alone for an app's own scheme, as a policy's source."""
    parts = urlsplit(url)
    source = (
        f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") and parts.netloc else parts.scheme + ":"
    )
    if not source.isascii() or any(letter in source for letter in " ;,'\"\t\r\n"):
        raise ValueError("an address that no policy can name")
    return source
