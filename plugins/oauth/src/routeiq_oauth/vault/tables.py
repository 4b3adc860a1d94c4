"""The vault's tables. What identifies a row is plain, so that it can be found; what it holds is sealed.

Rows of `routeiq_oauth_tokens` belong to one (tenant, user, upstream, issuer); `version` is a new random
number with each write, so that a row that was deleted and made again is another one.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table

metadata = MetaData()

tokens = Table(
    "routeiq_oauth_tokens",
    metadata,
    Column("tenant", String(255), primary_key=True),
    Column("user", String(512), primary_key=True),
    Column("upstream", String(255), primary_key=True),
    Column("issuer", String(1024), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("routeiq_oauth_tokens_user", "user"),
    Index("routeiq_oauth_tokens_upstream", "upstream"),
    Index("routeiq_oauth_tokens_expires", "expires_at"),
)

clients = Table(
    "routeiq_oauth_clients",
    metadata,
    Column("issuer", String(1024), primary_key=True),
    Column("redirect_uri", String(1024), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

revision = Table("routeiq_oauth_version", metadata, Column("version_num", String(32), primary_key=True))
