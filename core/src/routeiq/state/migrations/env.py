"""What Alembic runs: our migrations on the connection that `sql_schema` hands over, in its transaction.

No address and no engine is made here.
"""

from __future__ import annotations

from alembic import context

from routeiq.state.sql_tables import SCHEMA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SCHEMA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
