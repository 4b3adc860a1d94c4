"""What stands around spans, metrics and logs in an export: the resource (who we are) and the scope (who measured).

Source: opentelemetry/proto/resource/v1, common/v1 and the three collector services.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from routeiq_otel import names
from routeiq_otel.attributes import RESOURCE, attributes
from routeiq_otel.protobuf import block, text

Frame = Callable[[Sequence[bytes]], bytes]
SCOPE = "routeiq"


def resource_of(told: Mapping[str, str], worker: int) -> dict[str, str | int]:
    """All attributes of this process. What the operator told wins; each process is an instance of its own."""
    own: dict[str, str | int] = {
        names.SERVICE_VERSION: version_of_gateway(),
        names.SERVICE_INSTANCE: str(uuid.uuid4()),
        names.HOST_NAME: socket.gethostname(),
        names.PROCESS_PID: os.getpid(),
        names.WORKER: worker,
        "telemetry.sdk.name": "routeiq-otel",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": version("routeiq-otel"),
    }
    return {**own, **told}


class Envelope:
    """Puts the resource and the scope around what is exported."""

    def __init__(self, resource: Mapping[str, str | int]) -> None:
        self._resource = block(1, attributes(resource, RESOURCE))
        self._scope = block(1, text(1, SCOPE) + text(2, version_of_gateway()))

    def around(self, pieces: Sequence[bytes]) -> bytes:
        """A request of any of the three services: their messages are shaped alike. Pieces are fields of the scope."""
        return block(1, self._resource + block(2, self._scope + b"".join(pieces)))


def joined(pieces: Sequence[bytes]) -> bytes:
    """Whole requests as one: repeated fields of messages that follow one another add up."""
    return b"".join(pieces)


@cache
def version_of_gateway() -> str:
    """The version of the gateway, else of this plugin."""
    try:
        return version("routeiq")
    except PackageNotFoundError:
        return version("routeiq-otel")
