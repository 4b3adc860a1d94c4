"""The migrations of the governance schema, run by Alembic."""
