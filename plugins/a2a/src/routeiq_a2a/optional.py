"""Whether the library of gRPC is here, which only agents of gRPC and the listener need.

It is imported where it is used, never at the start.
"""

from __future__ import annotations

from importlib.util import find_spec

MEND = "pip install 'routeiq-a2a[grpc]'"


def has_grpc() -> bool:
    """Whether `grpcio` is installed."""
    return find_spec("grpc") is not None
