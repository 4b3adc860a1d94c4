"""What the operator allows of one server: tools, their parameters, prices and limits.

Who may use a tool is decided by `permitted_tools` hooks, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from routeiq_mcp.rows import PinnedTool, ServerRow, prices_of
from routeiq_sdk import RequestError

SEPARATOR = "-"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one server. Names of tools may stand in them with or without the server's prefix."""

    prefix: str
    allowed: frozenset[str] | None = None
    disallowed: frozenset[str] = frozenset()
    parameters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    pinned: Mapping[str, PinnedTool] | None = None
    price: int = 0
    prices: Mapping[str, int] = field(default_factory=dict)
    rpm: int | None = None
    at_once: int | None = None
    timeout_seconds: float | None = None

    @classmethod
    def of(cls, row: ServerRow, prefix: str) -> Policy:
        """The rules that a row states."""
        price, prices = prices_of(row.mcp_info)
        return cls(
            prefix=prefix,
            allowed=frozenset(row.allowed_tools) if row.allowed_tools is not None else None,
            disallowed=frozenset(row.disallowed_tools),
            parameters={tool: frozenset(names) for tool, names in row.allowed_params.items()},
            pinned=row.pinned_tools,
            price=price,
            prices=prices,
            rpm=row.rpm,
            at_once=row.max_concurrent_requests,
            timeout_seconds=row.timeout,
        )

    def offers(self, tool: str) -> bool:
        """Whether a tool is offered at all."""
        names = self._names(tool)
        if self.pinned is not None and not any(name in self.pinned for name in names):
            return False
        if any(name in self.disallowed for name in names):
            return False
        return self.allowed is None or any(name in self.allowed for name in names)

    def pin_of(self, tool: str) -> PinnedTool | None:
        """What the operator says the tool is."""
        return (
            next((self.pinned[name] for name in self._names(tool) if name in self.pinned), None)
            if self.pinned
            else None
        )

    def price_of(self, tool: str) -> int:
        """What a call of the tool costs, in nano-USD."""
        return next((self.prices[name] for name in self._names(tool) if name in self.prices), self.price)

    def check_parameters(self, tool: str, arguments: Mapping[str, object]) -> None:
        """Whether the tool may be given these arguments. Raises `RequestError`."""
        allowed = next((self.parameters[name] for name in self._names(tool) if name in self.parameters), None)
        if allowed is None:
            return
        extra = sorted(set(arguments) - allowed)
        if extra:
            raise RequestError(
                403,
                f"Parameters {extra} are not allowed for tool {tool}. Allowed parameters: {sorted(allowed)}. "
                "Contact the administrator of the gateway to allow these parameters.",
                type="permission_error",
                code="parameters_not_allowed",
            )

    def _names(self, tool: str) -> tuple[str, str]:
        return tool, f"{self.prefix}{SEPARATOR}{tool}"
