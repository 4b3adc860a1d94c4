"""Which key names hold a secret. Such values become `Secret` at load, and their references must resolve.

The rule looks at names; values are not guessed at, but for a few words that are no secret anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from routeiq_sdk import Secret

_EXACT = frozenset(
    {
        "api_key", "apikey", "auth", "auth_value", "authorization", "aws_access_key_id", "bearer", "client_assertion",
        "client_key", "connection_string", "cookie", "credentials", "database_url", "dsn", "master_key", "passphrase",
        "passwd", "password", "pepper", "private_key", "redis_url", "salt", "salt_key", "secret", "secret_key",
        "signing_key", "token", "webhook_url",
    }
)  # fmt: skip
_ENDINGS = (
    "_access_key", "_access_key_id", "_apikey", "_api_key", "_connection_string", "_credentials", "_database_url",
    "_dsn", "_encryption_key", "_passphrase", "_passwd", "_password", "_pat", "_private_key", "_redis_url", "_salt",
    "_salt_key", "_secret", "_secret_key", "_secret_access_key", "_signing_key", "_token", "_webhook_url",
)  # fmt: skip
_CONTAINERS = frozenset(
    {"alert_to_webhook_url", "env", "env_vars", "extra_headers", "generic_logger_headers", "headers", "static_headers"}
)
_LEAST_UNNAMED = 16
_WORDS = {"auth": ("none", "required")}
"""What a key that is named like a secret may say instead of one."""

SECRET_PATHS = frozenset({("routeiq", "state", "url")})
"""Keys that hold a secret although their name alone does not say so."""


def names_a_secret(key: str) -> bool:
    """True for `api_key`, `master_key`, `*_token`, `*_secret`, `*password` and their like."""
    name = key.lower().replace("-", "_")
    if "cost_per" in name or name.startswith(("max_", "min_")):  # prices and counts of tokens
        return False
    return name in _EXACT or name.endswith(_ENDINGS)


def is_secret(key: str, value: Any) -> bool:
    """Whether the value of a key is one: its name says so, and it is not a word that says whether there is any."""
    return names_a_secret(key) and not (isinstance(value, str) and value in _WORDS.get(key, ()))


def holds_secrets(key: str) -> bool:
    """True for keys whose mapping holds secrets whatever their names: headers, environments of processes."""
    return key.lower() in _CONTAINERS


def secrets_in(value: Any, key: str = "") -> Iterator[Secret]:
    """Every secret of resolved data. A header's or variable's value is `Secret` whatever it says; of those without a
    telling name only what may be one: `application/json` is none."""
    if isinstance(value, Secret):
        told = value.reveal()
        if names_a_secret(key) or (len(told) >= _LEAST_UNNAMED and any(letter.isdigit() for letter in told)):
            yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from secrets_in(item, str(name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item, key)
