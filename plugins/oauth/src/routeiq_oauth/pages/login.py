"""Who sits at the browser: a session of the gateway's, or a key typed into a form; and the tokens of our forms.

What the visitor may agree to is decided by the pages themselves.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from routeiq_oauth.pace import Pace
from routeiq_oauth.pages.html import Markup, markup, page, redirect
from routeiq_oauth.vault.keyring import Keyring, Unsealable
from routeiq_sdk import Context, Gateway, Principal, RequestError, Secret
from routeiq_sdk.values.http import Headers, HttpRequest, HttpResponse

LOGIN_PATH = "/connections/login"
_TABLE = "oauth.browsers"
_LONGEST_FORM = 64 * 1024
_FORM = """<p>{reason}</p>{elsewhere}<form method="post" action="{action}">
<input type="hidden" name="csrf" value="{csrf}"><input type="hidden" name="return_to" value="{return_to}">
<p><label>Gateway key <input type="password" name="key" autocomplete="off" required></label>
<button>Sign in</button></p></form>"""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in. `browser` names the browser (a secret of its cookie, so it is never shown)."""

    principal: Principal
    browser: str
    new: bool
    by_key: bool = False
    """Signed in by the form, so that it can be signed out here."""

    def __repr__(self) -> str:
        return f"Visitor({self.principal.id!r})"


class Browsers:
    """Tells browsers apart by a random cookie. A key typed into the form is kept sealed in the shared state, under the
    hash of that cookie, and asked again at each request: a key that was revoked signs nobody in."""

    def __init__(
        self,
        gateway: Gateway,
        keyring: Keyring,
        *,
        secure: bool,
        sign_in: str | None = None,
        minutes: int = 60,
        attempts: int = 10,
    ) -> None:
        self._gateway = gateway
        self._keyring = keyring
        self._secure = secure
        self._sign_in = sign_in
        self._seconds = minutes * 60
        self._wrong = Pace(gateway, "wrong-key", attempts, 300)
        self._cookie = "__Host-routeiq_browser" if secure else "routeiq_browser"

    async def visitor(self, request: HttpRequest) -> Visitor | None:
        """Who is signed in; `None` for nobody. Raises `RequestError` when nobody can tell."""
        browser = self._browser(request.headers)
        context = _reading(request)
        try:
            principal = await self._gateway.identify(context)
            return Visitor(principal, browser or secrets.token_urlsafe(32), browser is None)
        except RequestError as error:
            if error.status >= 500:
                raise
        key = await self._key(browser) if browser is not None else None
        if key is None or browser is None:
            return None
        try:
            return Visitor(await self._gateway.identify(context, key), browser, False, by_key=True)
        except RequestError as error:
            if error.status >= 500:
                raise
            return None

    def cookie(self, visitor: Visitor) -> Mapping[str, str]:
        """The header that a page for this visitor is sent with."""
        return self._set_cookie(visitor.browser) if visitor.new else {}

    def csrf(self, visitor: Visitor) -> Markup:
        """The hidden field of a form for this visitor."""
        token = self._keyring.sign("csrf", visitor.browser, visitor.principal.id)
        return markup('<input type="hidden" name="csrf" value="{token}">', token=token)

    def is_genuine(self, visitor: Visitor, form: Mapping[str, str]) -> bool:
        """Whether a form came from a page that this visitor was shown."""
        expected = self._keyring.sign("csrf", visitor.browser, visitor.principal.id)
        return not visitor.new and hmac.compare_digest(form.get("csrf", "").encode(), expected.encode())

    def bound(self, visitor: Visitor) -> str:
        """What a flow that leaves this site is bound to; tells nothing of the cookie."""
        return self._keyring.sign("flow", visitor.browser)

    def ask(
        self, request: HttpRequest, return_to: str, reason: str = "Sign in to go on.", status: int = 200
    ) -> HttpResponse:
        """The page that asks who is there, and comes back to `return_to`, a path of this gateway."""
        browser = self._browser(request.headers)
        named = browser or secrets.token_urlsafe(32)
        elsewhere = Markup("")
        if self._sign_in is not None:
            url = f"{self._sign_in}?return_to={quote(return_to, safe='')}"
            elsewhere = markup('<p><a href="{url}">Sign in with your organization</a>, or:</p>', url=url)
        body = markup(
            _FORM,
            reason=reason,
            elsewhere=elsewhere,
            action=LOGIN_PATH,
            csrf=self._keyring.sign("login", named),
            return_to=return_to,
        )
        return page("Sign in", body, status=status, headers=self._set_cookie(named) if browser is None else {})

    async def login(self, request: HttpRequest) -> HttpResponse:
        """`POST /connections/login`: a key was typed in."""
        form = form_of(request)
        return_to = form.get("return_to", "")
        if not is_local(return_to):
            return_to = "/connections"
        browser = self._browser(request.headers)
        expected = self._keyring.sign("login", browser or "")
        if browser is None or not hmac.compare_digest(form.get("csrf", "").encode(), expected.encode()):
            return self.ask(request, return_to, "This form was too old. Please try again.", 403)
        if not await self._wrong.left(request.client):
            return self.ask(request, return_to, "Too many wrong keys. Try again in a few minutes.", 429)
        key = form.get("key", "").strip()
        try:
            if not key or request.context is None:
                raise RequestError(401, "no key")
            await self._gateway.identify(request.context, Secret(key))
        except RequestError as error:
            if error.status >= 500:
                raise
            await self._wrong.count(request.client)
            return self.ask(request, return_to, "This key is not known here.", 401)
        fresh = secrets.token_urlsafe(32)  # nobody may know the cookie of a browser that signs in
        place = _hashed(fresh)
        sealed = self._keyring.seal(json.dumps({"key": key}).encode(), "browser", place)
        await self._gateway.state.put(_TABLE, place, sealed, ttl_seconds=float(self._seconds))
        return redirect(return_to, headers=self._set_cookie(fresh))

    async def logout(self, request: HttpRequest, visitor: Visitor) -> HttpResponse:
        """Forget the key of a browser. A session of the gateway's own is ended where it began."""
        await self._gateway.state.delete(_TABLE, _hashed(visitor.browser))
        return redirect("/connections", headers=self._set_cookie("", seconds=0))

    async def _key(self, browser: str) -> Secret | None:
        place = _hashed(browser)
        sealed = await self._gateway.state.get(_TABLE, place)
        if sealed is None:
            return None
        try:
            return Secret(json.loads(self._keyring.open(sealed, "browser", place))["key"])
        except Unsealable:
            return None

    def _browser(self, headers: Headers) -> str | None:
        return next((value for value in _cookies(headers, self._cookie) if 40 <= len(value) <= 64), None)

    def _set_cookie(self, value: str, seconds: int | None = None) -> dict[str, str]:
        flags = "; Secure" if self._secure else ""
        age = self._seconds if seconds is None else seconds
        return {"set-cookie": f"{self._cookie}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{flags}"}


def form_of(request: HttpRequest) -> dict[str, str]:
    """The fields of a submitted form. Raises `RequestError` for what is none."""
    media_type = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded" or len(request.body) > _LONGEST_FORM:
        raise RequestError(400, "This address takes a form of its own page.")
    try:
        return dict(parse_qsl(request.body.decode("ascii"), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise RequestError(400, "This form cannot be read.") from None


def is_local(path: str) -> bool:
    """Whether this is a path of this gateway, in every browser's opinion."""
    return (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and path.isascii()
        and path.isprintable()
        and "\\" not in path
    )


def _cookies(headers: Headers, name: str) -> Iterator[str]:
    for key, raw in headers.raw:
        if key.lower() == b"cookie":
            for pair in raw.decode("latin-1").split(";"):
                found, equals, value = pair.strip().partition("=")
                if equals and found == name:
                    yield value


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _reading(request: HttpRequest) -> Context:
    """The request as one that only asks who is there: a session's own token against forged requests comes in a header,
    which no form can send. Our forms carry a token of ours instead."""
    if request.context is None:
        raise RequestError(401, "Nobody is signed in.", type="auth_error")
    context = copy.copy(request.context)
    context.method = "GET"
    return context
