"""A person's token for an upstream: the one in the vault, refreshed when it is due or was refused, or else a question.

One refusal gets one refresh; what is refused then needs the person.
"""

from __future__ import annotations

from dataclasses import dataclass

from routeiq_oauth.address import Address
from routeiq_oauth.delegation.challenge import demand_of
from routeiq_oauth.delegation.consent import scopes_to_ask
from routeiq_oauth.delegation.discovery import Discovery, Found, covers, same_issuer
from routeiq_oauth.delegation.outside import Reach
from routeiq_oauth.delegation.questions import Question, Questions
from routeiq_oauth.delegation.trouble import Away
from routeiq_oauth.vault.grant import Grant, Owner
from routeiq_oauth.vault.refreshing import Refresher
from routeiq_oauth.vault.store import Kept, Store
from routeiq_sdk import Context, Gateway, RequestError
from routeiq_sdk.values.delegation import Challenge, ConsentNeeded, Delegate

_DISCOVER_AGAIN_SECONDS = 30.0


@dataclass(slots=True)
class _Last:
    """What the last call of a request carried."""

    mark: str
    refreshed: bool


class _Notes(dict[str, _Last]):
    """By upstream."""


class PeopleTokens:
    """Gives them."""

    def __init__(
        self,
        gateway: Gateway,
        address: Address,
        store: Store,
        refresher: Refresher,
        discovery: Discovery,
        questions: Questions,
    ) -> None:
        self._gateway = gateway
        self._address = address
        self._store = store
        self._refresher = refresher
        self._discovery = discovery
        self._questions = questions

    async def token(self, ctx: Context, delegate: Delegate, refused: Challenge | None) -> Grant:
        """The grant to call with. Raises `ConsentNeeded`, `RequestError`, and what discovery and refresh raise."""
        owner = Owner.of(ctx.principal)
        kept = await self._store.find(owner, delegate.id)
        grant = kept.grant if kept is not None else None
        if kept is None or grant is None or grant.stale or not _fits(grant, delegate):
            had = grant.asked if grant is not None and grant.stale and _fits(grant, delegate) else ()
            raise await self._question(ctx, delegate, owner, refused, had=had)
        notes = ctx.kept(self, _Notes)
        if notes is None:
            notes = _Notes()
            ctx.keep(self, notes)
        last = notes.get(delegate.id)
        if refused is None:
            grant = await self._lasting(ctx, delegate, kept, grant)
            notes[delegate.id] = _Last(grant.mark, refreshed=False)
        elif refused.status == 403 or demand_of(refused).error == "insufficient_scope":
            raise await self._step_up(ctx, delegate, owner, grant, refused)
        else:
            grant = await self._after_refusal(ctx, delegate, kept, grant, refused, last)
            notes[delegate.id] = _Last(grant.mark, refreshed=True)
        return grant

    async def _lasting(self, ctx: Context, delegate: Delegate, kept: Kept, grant: Grant) -> Grant:
        now = self._now()
        if not grant.is_due(now):
            return grant
        if grant.refresh is None:
            if not grant.is_over(now):
                return grant
            raise await self._question(ctx, delegate, kept.owner, None, had=grant.asked)
        try:
            fresh = await self._refresher.fresh(kept)
        except Away:
            if grant.is_over(now):
                raise
            return grant  # it lasts some seconds yet, and the server may be back by then
        if fresh is None:
            raise await self._question(ctx, delegate, kept.owner, None, had=grant.asked)
        return fresh

    async def _after_refusal(
        self, ctx: Context, delegate: Delegate, kept: Kept, grant: Grant, refused: Challenge, last: _Last | None
    ) -> Grant:
        if last is not None and last.mark != grant.mark:
            return grant  # somebody else got a new one meanwhile
        found = await self._moved(ctx, delegate, refused)
        if found is not None and not any(same_issuer(grant.issuer, issuer) for issuer in found.issuers):
            raise await self._question(ctx, delegate, kept.owner, refused, had=())
        if (last is None or not last.refreshed) and grant.refresh is not None:
            fresh = await self._refresher.fresh(kept)
            if fresh is not None:
                return fresh
        else:
            await self._store.replace(kept, grant.refused())
        raise await self._question(ctx, delegate, kept.owner, refused, had=grant.asked)

    async def _moved(self, ctx: Context, delegate: Delegate, refused: Challenge) -> Found | None:
        """Where the upstream's tokens come from now; `None` when that cannot be told."""
        reach = Reach.of(delegate, ctx.principal.tenants)
        try:
            return await self._discovery.find(delegate, reach, refused, newer_than=_DISCOVER_AGAIN_SECONDS)
        except Away:
            return None

    async def _step_up(
        self, ctx: Context, delegate: Delegate, owner: Owner, grant: Grant, refused: Challenge
    ) -> ConsentNeeded | RequestError:
        """More scopes, once: those that were asked for already will not come by asking again."""
        wanted = demand_of(refused).scopes or ()
        if not set(wanted) - set(grant.asked):
            return RequestError(
                403,
                f"{_title(delegate)} refuses this call to you: what you agreed to does not allow it.",
                type="permission_error",
                code="insufficient_scope",
            )
        return await self._question(ctx, delegate, owner, refused, had=grant.asked)

    async def _question(
        self, ctx: Context, delegate: Delegate, owner: Owner, refused: Challenge | None, *, had: tuple[str, ...]
    ) -> ConsentNeeded:
        base = self._address.base(ctx.headers)
        id = await self.ask(ctx, delegate, owner, refused, had=had)
        url = f"{base}/connections/consent/{id}"
        title = _title(delegate)
        return ConsentNeeded(delegate.id, url, id, f"{title} needs your consent first. Open {url} in your browser.")

    async def ask(
        self, ctx: Context, delegate: Delegate, owner: Owner, refused: Challenge | None, *, had: tuple[str, ...]
    ) -> str:
        """Ask the caller of `ctx` whether it agrees; the id of the question."""
        principal = ctx.principal
        found = await self._discovery.find(delegate, Reach.of(delegate, principal.tenants), refused)
        question = Question(
            id="",
            owner=owner,
            delegate=delegate,
            server=found.server,
            resource=found.resource,
            scopes=scopes_to_ask(delegate.auth.scopes, _demanded(delegate, found, refused), had, found.server),
            asker=principal.alias or principal.id[:12],
            tenants=principal.tenants,
        )
        return await self._questions.ask(question)

    def _now(self) -> int:
        return self._gateway.clock.now_ns() // 10**9


def _demanded(delegate: Delegate, found: Found, refused: Challenge | None) -> tuple[str, ...] | None:
    """What the upstream asks for by its challenge; what its metadata merely know counts when nothing is configured."""
    challenged = demand_of(refused).scopes
    if challenged is not None:
        return challenged
    return None if delegate.auth.scopes else found.scopes


def _fits(grant: Grant, delegate: Delegate) -> bool:
    """Whether a grant is for this upstream as it is configured now: an upstream that moved gets no old token."""
    issuer = delegate.auth.issuer
    return (grant.resource is None or covers(grant.resource, delegate.url)) and (
        issuer is None or same_issuer(issuer, grant.issuer)
    )


def _title(delegate: Delegate) -> str:
    return delegate.title or delegate.id.partition(":")[2] or delegate.id
