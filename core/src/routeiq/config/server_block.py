"""`routeiq.server`: where the gateway listens, and to whom it answers there.

What an engine makes of it is in `routeiq.server`.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from pydantic import Field, field_validator

from routeiq.config.validation import Strict

_NAME = re.compile(r"(\*\.)?[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*|\[[0-9a-fA-F:.]+\]")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


class Tls(Strict):
    """The gateway's own certificate."""

    certfile: Path = Field(description="PEM file of the certificate chain.")
    keyfile: Path = Field(description="PEM file of the private key.")


class Server(Strict):
    """The listening side."""

    engine: str = Field("hypercorn", min_length=1, description="The server engine: hypercorn, uvicorn, granian, ...")
    host: str = Field("127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(4000, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=256, description="Worker processes.")
    grace_seconds: float = Field(600, ge=0, description="Seconds live answers may take to finish at a stop.")
    allow_weak_master_key: bool = Field(
        False, description="Whether a weak master key is accepted; on loopback alone, never an absent key."
    )
    behind_proxy: bool = Field(
        False, description="Whether a front proxy checks requests; some engines need it beyond loopback."
    )
    tls: Tls | None = Field(None, description="Serve HTTPS with this certificate.")
    allowed_hosts: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Names a Host header may hold: `gw.example`, `*.example`, or `*` for any. Without it any name "
        "beyond loopback; on loopback its own names, to which these are added.",
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="Origins (`https://app.example`) whose pages may call the gateway from a browser; else none."
    )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost" or self.host.startswith("unix:"):
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_are_names(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            if name != "*" and not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a host: write gw.example, *.example or an address, no port")
        return names

    @field_validator("allowed_origins")
    @classmethod
    def _origins_are_written_as_browsers_do(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no origin: write scheme://host or scheme://host:port in lower case, as the browser "
                    "sends it; there is no wildcard"
                )
        return origins
