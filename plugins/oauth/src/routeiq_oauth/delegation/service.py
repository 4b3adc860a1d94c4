"""The SDK's `Delegation`: which mode gives the headers of a call, and what a caller is told when none can be had.

How each mode works is in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from routeiq_oauth.delegation.machine import MachineTokens
from routeiq_oauth.delegation.outside import Reach
from routeiq_oauth.delegation.people import PeopleTokens
from routeiq_oauth.delegation.questions import Questions
from routeiq_oauth.delegation.remembered import mark_of
from routeiq_oauth.delegation.subject import is_same, subject_of
from routeiq_oauth.delegation.token_endpoint import configured_client, signing_key
from routeiq_oauth.delegation.trouble import Unfit, told
from routeiq_oauth.urls import check_url, is_loopback
from routeiq_oauth.vault.grant import Owner
from routeiq_oauth.vault.revoking import Revoker
from routeiq_oauth.vault.store import Store
from routeiq_sdk import ConfigError, Context, Gateway, RequestError, RouteIQError, Secret
from routeiq_sdk.values.delegation import Challenge, ConsentNeeded, Delegate

_NOBODY = "loopback"
_SPENT = "fetched anew after a refusal"


class _Marks(dict[str, str]):
    """Marks of the tokens that a request's last calls carried, by upstream."""


class Delegations:
    """Implements `routeiq_sdk.values.delegation.Delegation`."""

    def __init__(
        self,
        gateway: Gateway,
        machine: MachineTokens,
        people: PeopleTokens,
        questions: Questions,
        store: Store,
        revoker: Revoker,
    ) -> None:
        self._gateway = gateway
        self._machine = machine
        self._people = people
        self._questions = questions
        self._store = store
        self._revoker = revoker
        self.known: dict[str, Delegate] = {}
        """Upstreams that people can connect to, by id."""

    async def check(self, delegate: Delegate) -> None:
        """Whether the mode can work as it is configured. Raises `ConfigError`."""
        auth = delegate.auth
        for name in ("issuer", "token_url", "authorization_url", "identity_provider"):
            url = getattr(auth, name)
            if url is not None:
                try:
                    check_url(url)
                except ValueError as error:
                    raise ConfigError(f"{delegate.id}: {name}: {error}", mend="an https address") from None
        carries_tokens = auth.mode not in ("none", "passthrough")
        parts = urlsplit(delegate.url)
        if carries_tokens and auth.mode != "static" and parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ConfigError(f"{delegate.id}: mode {auth.mode} sends tokens over plain http", mend="use https")
        if auth.client_key is not None:
            client = configured_client(auth, None)
            try:
                assert client is not None
                signing_key(client)
            except Unfit as error:
                raise ConfigError(f"{delegate.id}: {error}") from None
        if auth.mode == "authorization_code":
            self.known[delegate.id] = delegate

    async def headers(self, ctx: Context, delegate: Delegate, *, refused: Challenge | None = None) -> Mapping[str, str]:
        """Headers for one call. Raises `ConsentNeeded` and `RequestError`."""
        mode = delegate.auth.mode
        if mode == "none":
            return {}
        if mode == "static":
            return {name: value.get_secret_value() for name, value in delegate.auth.headers.items()}
        if mode == "passthrough":
            return _passed(ctx, delegate)
        try:
            token = await self._token(ctx, delegate, refused)
        except (ConsentNeeded, RequestError):
            raise
        except RouteIQError as error:
            raise told(error, delegate.title or delegate.id) from None
        if ctx.credential is not None and is_same(token, ctx.credential):
            raise told(Unfit("it is the caller's own, which is never passed on"), delegate.title or delegate.id)
        return {"authorization": f"Bearer {token.reveal()}"}

    async def answered(self, ctx: Context, id: str) -> bool:
        """Whether the caller has answered the question `id`."""
        return await self._questions.answered(id, Owner.of(ctx.principal))

    async def forget(self, delegate_id: str) -> None:
        """The upstream is gone: drop and revoke what was kept for it."""
        self.known.pop(delegate_id, None)
        self._machine.forget(delegate_id)
        await self._revoker.end(await self._store.of_upstream(delegate_id))

    async def forget_user(self, user: str) -> int:
        """A user is gone: drop and revoke what was kept for them; returns how many grants there were."""
        return await self._revoker.end(await self._store.of_user(f"user:{user}"))

    async def _token(self, ctx: Context, delegate: Delegate, refused: Challenge | None) -> Secret:
        mode = delegate.auth.mode
        if delegate.auth.per_user and ctx.principal.id == _NOBODY:
            raise RequestError(
                403,
                f"{delegate.title or delegate.id} is called in the caller's own name, and this path asks nobody who "
                "they are. Call it where a key or a token is asked for.",
                type="permission_error",
            )
        if mode == "authorization_code":
            self.known[delegate.id] = delegate
            return (await self._people.token(ctx, delegate, refused)).access
        marks = ctx.kept(self, _Marks)
        if marks is None:
            marks = _Marks()
            ctx.keep(self, marks)
        reach = Reach.of(delegate, ctx.principal.tenants)
        instead_of = marks.get(delegate.id) if refused is not None and refused.status == 401 else None
        if instead_of == _SPENT:
            raise Unfit("the upstream refuses a token that was fetched anew. Look at audience and scopes")
        if mode == "client_credentials":
            tokens = await self._machine.own(delegate, reach, refused, instead_of)
        else:
            auth = delegate.auth
            clients = (auth.client_id, auth.identity_provider_client_id)
            subject = subject_of(ctx, delegate.title or delegate.id, clients)
            owner = Owner.of(ctx.principal)
            tokens = await self._machine.exchanged(owner, subject, delegate, reach, refused, instead_of)
        marks[delegate.id] = mark_of(tokens) if instead_of is None else _SPENT
        return tokens.access


def _passed(ctx: Context, delegate: Delegate) -> Mapping[str, str]:
    """The one header of the client's that is passed on, unless it carries what the client presented to us."""
    name = delegate.auth.header
    assert name is not None
    value = ctx.headers.get(name)
    if value is None:
        return {}
    if ctx.credential is not None and ctx.credential.reveal() in value:
        raise RequestError(
            400,
            f"The header {name} is passed on to {delegate.title or delegate.id} and carries your credential for this "
            "gateway. Send the upstream's own there.",
            type="invalid_request_error",
        )
    return {name: value}
