"""The revision: a short name of a configuration's content, equal on every replica, that tells nothing of its secrets.

The catalogue adds its own version to it elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from routeiq_sdk import Secret

_ROUNDS = 50_000
_LENGTH = 16


def revision(data: Mapping[str, Any], environment: Mapping[str, str], master_key: Secret | None) -> str:
    """A digest of the resolved document.

    Secrets enter as HMAC-SHA-256 under a key stretched (PBKDF2, RFC 8018) from the master key, so that a revision
    shown in a header cannot be used to test guesses. The order of keys does not matter, but that of plugins does:
    it is their order at the gates.
    """
    key = _stretched(master_key.reveal() if master_key else "")

    def digest(value: str) -> str:
        return hmac.new(key, value.encode("utf-8", "surrogatepass"), "sha256").hexdigest()

    def plain(value: Any) -> Any:
        if isinstance(value, Secret):
            return {"secret": digest(value.reveal())}
        if isinstance(value, Mapping):
            return {name: plain(item) for name, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return value

    block = data.get("routeiq")
    plugins = block.get("plugins") if isinstance(block, Mapping) else None
    document = {
        "data": plain(data),
        "environment": {name: digest(value) for name, value in environment.items()},
        "plugin order": list(plugins) if isinstance(plugins, Mapping) else [],
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), "sha256").hexdigest()[:_LENGTH]


@lru_cache(maxsize=2)
def _stretched(secret: str) -> bytes:
    """Kept, because reloads and added rows of models need it again, with the same master key."""
    return hashlib.pbkdf2_hmac("sha256", secret.encode("utf-8", "surrogatepass"), b"routeiq revision", _ROUNDS)
