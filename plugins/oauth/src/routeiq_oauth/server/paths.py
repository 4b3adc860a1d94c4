"""Addresses that several parts of the server name.

Routes are listed in `routes`.
"""

from __future__ import annotations

CLIENTS_PATH = "/authorize/clients"
