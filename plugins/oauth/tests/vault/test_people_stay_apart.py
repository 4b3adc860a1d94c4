"""Two people, two upstreams, whatever happens at the same time: each call carries the caller's own token for the one
upstream that it goes to."""

from __future__ import annotations

import asyncio
import random

from ..authorization_server import AuthorizationServer, Upstream
from ..calling import ALICE, BOB
from ..outbound import Open, call, connect

PEOPLE = {"alice": ALICE, "bob": BOB}
SECRET = "s3cret/with +odd: characters"


async def test_no_interleaving_gives_anybody_anothers_token(open_gateway: Open, server: AuthorizationServer) -> None:
    async with Upstream(server, "files") as files, Upstream(server, "mail") as mail:
        upstreams = {"files": files, "mail": mail}
        exchange = {"mode": "token_exchange", "client_id": "gateway", "client_secret": SECRET}
        rows = {name: {"url": one.url, "auth": {"mode": "authorization_code"}} for name, one in upstreams.items()}
        rows |= {f"{name}-x": {"url": one.url, "auth": exchange} for name, one in upstreams.items()}
        running = await open_gateway(rows)
        for user, key in PEOPLE.items():
            server.user = user
            for name in upstreams:
                await connect(running, name, key)
        inbound = {user: server.caller_token(user) for user in PEOPLE}
        dice = random.Random(7)

        async def one() -> int:
            user, name = dice.choice(sorted(PEOPLE)), dice.choice(sorted(upstreams))
            if dice.random() < 0.5:
                return (await call(running, name, PEOPLE[user], user)).status_code
            return (await call(running, f"{name}-x", inbound[user], user)).status_code

        async def trouble() -> None:
            for _ in range(6):
                await asyncio.sleep(0)
                server.end_all()
                await asyncio.gather(*(one() for _ in range(4)))

        statuses = await asyncio.gather(*(one() for _ in range(120)), trouble())
        # Tokens that end while calls are under way may cost a call; never does one carry another's.
        assert sum(status == 200 for status in statuses) > 60
        for upstream in upstreams.values():
            assert upstream.served
            assert all(said in ("", user) for said, user in upstream.served)
            known = [server.issued[seen.bearer] for seen in upstream.seen if seen.bearer in server.issued]
            assert {token.resource for token in known} == {upstream.url}
