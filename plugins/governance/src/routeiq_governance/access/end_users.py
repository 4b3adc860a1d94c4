"""Whether an end user that a request names is one of ours: a user, by id or e-mail address, kept for later requests.

Customers are identity's; what they may do is decided elsewhere.
"""

from __future__ import annotations

from sqlalchemy import func, or_, select

from routeiq_governance.store.database import Database
from routeiq_governance.store.tables import users

_MOST = 10_000


class EndUsers:
    """Looks names up among the users."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, bool] = {}
        self._epoch = 0

    def forget(self) -> None:
        """Users changed."""
        self._epoch += 1
        self._known = {}

    async def knows(self, name: str) -> bool:
        """Whether there is such a user. Raises `StoreUnavailable`."""
        found = self._known.get(name)
        if found is None:
            epoch = self._epoch
            query = select(users.c.id).where(or_(users.c.id == name, func.lower(users.c.email) == name.lower()))
            async with self._database.read() as connection:
                found = (await connection.execute(query.limit(1))).first() is not None
            if epoch == self._epoch:
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[name] = found
        return found
