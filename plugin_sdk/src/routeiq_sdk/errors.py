"""The one small hierarchy of errors that plugins and core share. A surface turns them into its protocol's shape.

No HTTP framework and no message catalogue lives here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class RouteIQError(Exception):
    """Base of all errors that RouteIQ raises on purpose."""


class ConfigError(RouteIQError):
    """A configuration that cannot be used. Says what, where, and the mend."""

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        mend: str | None = None,
    ) -> None:
        self.message = message
        self.file = str(file) if file is not None else None
        self.line = line
        self.mend = mend
        super().__init__(message)

    def __str__(self) -> str:
        place = ""
        if self.file is not None:
            place = f"{self.file}:{self.line}: " if self.line is not None else f"{self.file}: "
        mend = f" Mend: {self.mend}" if self.mend else ""
        return f"{place}{self.message}{mend}"


class PluginError(RouteIQError):
    """A plugin that cannot be found, loaded, ordered or set up. Names the plugin and its distribution."""

    def __init__(self, plugin: str, message: str, *, mend: str | None = None) -> None:
        self.plugin = plugin
        self.mend = mend
        super().__init__(f"plugin {plugin!r}: {message}" + (f" Mend: {mend}" if mend else ""))


class WrongPhase(RouteIQError):
    """Something was asked of the context before the road got there. Names the phases where it is right."""

    def __init__(self, what: str, right: str) -> None:
        super().__init__(f"{what} is not known yet at this gate. It is available in: {right}.")


class StoreUnavailable(RouteIQError):
    """A shared store cannot be reached. Whoever answers a client says 503 and when to try again, never 401."""


class MetersLost(StoreUnavailable):
    """The store was flushed, failed over or is new, and its meters are not restored yet."""


class SpoolFailed(RouteIQError):
    """A spool could not do what was asked: the disk failed, or it is closed. The next `append` tries again."""


class SpoolFull(SpoolFailed):
    """No room: the spool's own bound, the bytes waiting for the disk, or the disk itself."""


class RequestError(RouteIQError):
    """A request that ends with an error for its client.

    `status` is an HTTP status, `type` and `code` follow the OpenAI vocabulary (`invalid_request_error`, ...),
    `param` names the field at fault, `headers` are added to the answer. The message goes to the client:
    it must hold no secret and no upstream address.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.headers = dict(headers or {})
        super().__init__(message)
