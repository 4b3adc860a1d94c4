"""The schema of the governance database, portable between SQLite and PostgreSQL.

Times are Unix nanoseconds, money is nano-USD (10^-9 USD), both as 64-bit integers. What is looked up or joined has a
column; what is only kept and given back is in a JSON document. Changes come with a migration.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

SCHEMA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
PREFIX = "routeiq_"
"""Before every table, so that the database of a LiteLLM proxy can hold them, too."""


def _document(name: str) -> Column[Any]:
    return Column(name, JSON, nullable=False, default=dict)


def _trail() -> tuple[Column[Any], ...]:
    return (
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("created_by", String),
        Column("updated_by", String),
    )


def _entity(name: str, *columns: SchemaItem) -> Table:
    """An entity with limits: `models` (a list), `limits` (`routeiq_governance.identity.limits.Limits`), `settings`
    (what LiteLLM's API keeps beside), `meta` (the caller's own metadata)."""
    return Table(
        PREFIX + name,
        SCHEMA,
        *columns,
        Column("blocked", Boolean, nullable=False, default=False),
        Column("budget_id", String),
        Column("models", JSON, nullable=False, default=list),
        _document("limits"),
        _document("settings"),
        _document("meta"),
        Column("spend_base", BigInteger, nullable=False, default=0),
        Column("version", BigInteger, nullable=False, default=1),
        *_trail(),
    )


organizations = _entity("organizations", Column("id", String, primary_key=True), Column("alias", String))
teams = _entity(
    "teams",
    Column("id", String, primary_key=True),
    Column("alias", String, index=True),
    Column("external_id", String, index=True),
    Column("organization_id", String, index=True),
)
users = _entity(
    "users",
    Column("id", String, primary_key=True),
    Column("email", String, index=True),
    Column("alias", String),
    Column("external_id", String, index=True),
    Column("organization_id", String, index=True),
    Column("role", String),
    Column("active", Boolean, nullable=False, default=True),
)
keys = _entity(
    "keys",
    Column("id", String, primary_key=True),
    Column("verifier", String),
    Column("name", String),
    Column("alias", String, index=True),
    Column("user_id", String, index=True),
    Column("team_id", String, index=True),
    Column("organization_id", String, index=True),
    Column("service_account", Boolean, nullable=False, default=False),
    Column("expires_at", BigInteger),
    Column("replaces", String, index=True),
)
customers = _entity("customers", Column("id", String, primary_key=True), Column("alias", String))
tags = _entity("tags", Column("id", String, primary_key=True), Column("description", String))
budgets = Table(
    PREFIX + "budgets",
    SCHEMA,
    Column("id", String, primary_key=True),
    _document("limits"),
    _document("settings"),
    Column("version", BigInteger, nullable=False, default=1),
    *_trail(),
)
members = Table(
    PREFIX + "members",
    SCHEMA,
    Column("scope", String, nullable=False),
    Column("scope_id", String, nullable=False),
    Column("user_id", String, nullable=False, index=True),
    Column("role", String, nullable=False),
    Column("budget_id", String),
    _document("limits"),
    *_trail(),
    PrimaryKeyConstraint("scope", "scope_id", "user_id"),
)
roles = Table(
    PREFIX + "roles",
    SCHEMA,
    Column("id", String, primary_key=True),
    Column("organization_id", String, index=True),
    Column("name", String, nullable=False),
    Column("actions", JSON, nullable=False),
    *_trail(),
    UniqueConstraint("organization_id", "name"),
)
bindings = Table(
    PREFIX + "bindings",
    SCHEMA,
    Column("id", String, primary_key=True),
    Column("principal", String, nullable=False, index=True),
    Column("role", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("scope_id", String, nullable=False),
    *_trail(),
    UniqueConstraint("principal", "role", "scope", "scope_id"),
)
policies = Table(
    PREFIX + "policies",
    SCHEMA,
    Column("id", String, primary_key=True),
    _document("document"),
    Column("organization_id", String, index=True),
    Column("version", BigInteger, nullable=False, default=1),
    *_trail(),
)
models = Table(
    PREFIX + "models",
    SCHEMA,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, index=True),
    Column("team_id", String, index=True),
    Column("blocked", Boolean, nullable=False, default=False),
    Column("row", LargeBinary, nullable=False),
    *_trail(),
)
access_groups = Table(
    PREFIX + "access_groups",
    SCHEMA,
    Column("id", String, primary_key=True),
    Column("models", JSON, nullable=False, default=list),
    _document("settings"),
    *_trail(),
)
credentials = Table(
    PREFIX + "credentials",
    SCHEMA,
    Column("id", String, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    _document("info"),
    *_trail(),
)
changes = Table(
    PREFIX + "changes",
    SCHEMA,
    Column("table", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
"""One row a kind of thing that is cached: its number rises in the transaction that changes such a thing."""

entries = Table(
    PREFIX + "ledger_entries",
    SCHEMA,
    Column("request_id", String, nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("ended_at", BigInteger, nullable=False),
    Column("outcome", String, nullable=False),
    Column("status", BigInteger, nullable=False),
    Column("route", String),
    Column("key_id", String),
    Column("user_id", String),
    Column("team_id", String),
    Column("organization_id", String),
    Column("customer_id", String),
    Column("model_group", String),
    Column("model", String),
    Column("deployment_id", String),
    Column("provider", String),
    Column("input_tokens", BigInteger, nullable=False, default=0),
    Column("output_tokens", BigInteger, nullable=False, default=0),
    Column("estimated", Boolean, nullable=False, default=False),
    Column("cost", BigInteger, nullable=False, default=0),
    Column("price_version", String),
    Column("tags", JSON, nullable=False, default=list),
    _document("detail"),
    Column("response_id", String),
    PrimaryKeyConstraint("request_id", "attempt", "kind"),
    Index("ix_routeiq_ledger_entries_response_id", "response_id"),
    Index("ix_routeiq_ledger_entries_key_at", "key_id", "at"),
    Index("ix_routeiq_ledger_entries_team_at", "team_id", "at"),
    Index("ix_routeiq_ledger_entries_user_at", "user_id", "at"),
)
"""One row an attempt (`kind` `attempt`), and beside it `overrun` (beyond what was held), `correction`, `reset`. Never
updated, never deleted but by retention."""
postings = Table(
    PREFIX + "ledger_postings",
    SCHEMA,
    Column("request_id", String, nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("account", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("request_id", "attempt", "kind", "account"),
    Index("ix_routeiq_ledger_postings_account", "account"),
)
"""The double entry of each row with a cost: what one account received (positive) another gave; an entry sums to 0."""
totals = Table(
    PREFIX + "ledger_totals",
    SCHEMA,
    Column("scope", String, nullable=False),
    Column("scope_id", String, nullable=False),
    Column("spend", BigInteger, nullable=False, default=0),
    Column("input_tokens", BigInteger, nullable=False, default=0),
    Column("output_tokens", BigInteger, nullable=False, default=0),
    Column("requests", BigInteger, nullable=False, default=0),
    PrimaryKeyConstraint("scope", "scope_id"),
)
"""Sums of entries by key, user, team, organization, customer, tag, model, provider, kept in their transaction."""
meters = Table(
    PREFIX + "ledger_meters",
    SCHEMA,
    Column("meter", String, primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("ends", BigInteger, index=True),
)
"""What each meter has taken by entries, kept in their transaction: a store that lost its meters is restored from it."""
