"""The core's side of the per-request context: it may fill what plugins only read.

What plugins see is documented at `routeiq_sdk.Context`.
"""

from __future__ import annotations

from routeiq.wires.body import Body
from routeiq_sdk import Context, Decision, Principal


class RequestContext(Context):
    """A context whose gates can be passed."""

    __slots__ = ()

    def identify(self, principal: Principal) -> None:
        """The caller is known."""
        self._principal = principal

    def follow(self, parent: Context) -> None:
        """This request is a child of `parent`, in its trace too."""
        self._trace = parent.trace.child()

    def understand(self, body: Body) -> None:
        """The request is known, or was replaced by a guard."""
        self._request = body

    def decide(self, decision: Decision | None) -> None:
        """The model is chosen."""
        self._decision = decision
