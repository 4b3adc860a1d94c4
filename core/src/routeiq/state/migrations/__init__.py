"""The migrations of the state store's schema. Alembic reads them as files; nothing imports this package."""
