"""What Alembic runs: our migrations on the connection that `store.schema` hands over, in its transaction.

No address and no engine is made here.
"""

from __future__ import annotations

from alembic import context

from routeiq_governance.store.schema import VERSION_TABLE
from routeiq_governance.store.tables import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SCHEMA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
