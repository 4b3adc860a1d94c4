"""The reference of providers that the core speaks to without translation.

The rows are those of `routeiq.catalog.providers`.
"""

from __future__ import annotations

from reference_blocks.tables import code, table
from routeiq.catalog.providers import NATIVE

_HEADERS = {"bearer": "Authorization: Bearer", "x-api-key": "x-api-key", "api-key": "api-key"}


def providers() -> str:
    """One row a provider."""
    rows = (
        (
            code(f"{name}/"),
            provider.wire,
            code(provider.base_url or "") or "write `api_base`",
            code(provider.key_variable or ""),
            code(_HEADERS[provider.auth]),
        )
        for name, provider in sorted(NATIVE.items())
    )
    return table(("prefix of `model`", "wire", "address", "key variable", "key travels in"), rows)
