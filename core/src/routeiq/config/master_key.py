"""The rule of the master key: there is one, and it cannot be guessed.

Checking a client's key against it is the surface's.
"""

from __future__ import annotations

from collections.abc import Mapping

from routeiq.config.errors import problem_at
from routeiq.config.position import KeyPath, Positions
from routeiq.config.server_block import Server
from routeiq_sdk import Secret
from routeiq_sdk.errors import ConfigError

MASTER_KEY: KeyPath = ("general_settings", "master_key")
_LEAST_LENGTH = 16
_LEAST_DISTINCT = 8
_PREDICTABLE = (
    "0123456789", "1234567890", "123456789", "12345678", "123456", "12345", "1234", "987654321", "abcdefghijklmnop",
    "abcdefgh", "abcdef", "qwertyuiop", "qwerty", "asdfgh", "password", "passw0rd", "changeme", "change-me",
    "change_me", "letmein", "replace-me", "replaceme", "placeholder", "your-key", "your_key", "master-key",
    "master_key", "masterkey", "litellm", "routeiq", "gateway", "example", "secret", "default", "admin", "master",
    "testing", "demo-key", "dummy", "my-key", "test-key",
)  # fmt: skip


def weakness(key: str) -> str | None:
    """Why a key can be guessed, or `None`. Words and runs that people use count for nothing."""
    if len(key) < _LEAST_LENGTH:
        return f"shorter than {_LEAST_LENGTH} characters"
    rest = key.lower().removeprefix("sk-")
    for word in _PREDICTABLE:
        rest = rest.replace(word, "")
    if len(rest) < _LEAST_LENGTH - 4:
        return "made of well-known words or runs"
    if len(set(rest)) < _LEAST_DISTINCT:
        return "made of too few different characters"
    return None


def master_key_problem(
    key: Secret | None, written: bool, server: Server, positions: Positions, env: Mapping[str, str]
) -> ConfigError | None:
    """What stops the start about the master key. A key whose reference failed was reported already."""
    if key is None or not key.reveal().strip():
        if written and key is None:
            return None
        found = next((name for name in ("ROUTEIQ_MASTER_KEY", "LITELLM_MASTER_KEY") if env.get(name)), None)
        mend = "add general_settings.master_key: os.environ/" + (found or "ROUTEIQ_MASTER_KEY")
        message = "general_settings.master_key is missing: without it nobody could be admitted"
        return problem_at(positions.at(MASTER_KEY), message, f"{mend}; `routeiq init` writes one")
    why = weakness(key.reveal())
    if why is None or (server.allow_weak_master_key and server.loopback):
        return None
    mend = "use a long random key (`routeiq init` writes one)"
    if not server.allow_weak_master_key:
        mend += ", or set routeiq.server.allow_weak_master_key: true to try things out on loopback"
    else:
        mend += ", or listen on loopback: a weak key is never accepted beyond it"
    return problem_at(positions.at(MASTER_KEY), f"general_settings.master_key is weak: {why}", mend)
