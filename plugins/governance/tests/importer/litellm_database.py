"""A LiteLLM database of the tests' own: tables as its schema has them, values sealed as it seals them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.secret import SecretBox

SALT = "sk-salt-of-the-old-proxy"
SCHEMA = (Path(__file__).parent / "schema.sql").read_text()


def sealed(text: str, salt: str = SALT) -> str:
    """A text as LiteLLM keeps it."""
    box = SecretBox(hashlib.sha256(salt.encode()).digest())
    return base64.urlsafe_b64encode(box.encrypt(text.encode())).decode()


def sealed_by_gcm(text: str, salt: str = SALT) -> str:
    """The same with `encryption_algorithm: aes-256-gcm`."""
    nonce = os.urandom(12)
    body = AESGCM(hashlib.sha256(salt.encode()).digest()).encrypt(nonce, text.encode(), None)
    return "v2:gcm:" + base64.urlsafe_b64encode(nonce + body).decode()


def token(key: str) -> str:
    """A key as LiteLLM keeps it."""
    return hashlib.sha256(key.encode()).hexdigest()


class OldDatabase:
    """Tables of LiteLLM on an empty PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def make(self) -> None:
        """Make the tables."""
        connection = await asyncpg.connect(self.url)
        await connection.execute(SCHEMA)
        await connection.close()

    async def add(self, table: str, **row: Any) -> None:
        """Add a row."""
        connection = await asyncpg.connect(self.url)
        names = ", ".join(f'"{name}"' for name in row)
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        values = [json.dumps(value) if isinstance(value, dict) or _is_json(value) else value for value in row.values()]
        await connection.execute(f'INSERT INTO "LiteLLM_{table}" ({names}) VALUES ({places})', *values)
        await connection.close()


def _is_json(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
