"""The metrics that requests are counted in: names, units, bounds. What adds to them is `measuring`.

Bounds of the GenAI and MCP metrics are those that the conventions advise.
"""

from __future__ import annotations

from routeiq_otel import names
from routeiq_otel.series import Histograms, Sums

_TOKENS = tuple(float(4**power) for power in range(14))
_SECONDS = tuple(0.01 * 2**power for power in range(14))
_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_EACH = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_SPEED = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0)
_MILLIS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_DOLLARS = (0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_CALLS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_SESSIONS = (*_CALLS, 1800.0, 3600.0, 14400.0, 86400.0)
_FEW = (1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 12.0, 20.0)


class Instruments:
    """All of them. `most` bounds the label sets of each."""

    def __init__(self, most: int) -> None:
        def sums(name: str, unit: str, description: str) -> Sums:
            made = Sums(name, unit, description, most=most)
            self.sums.append(made)
            return made

        def histograms(name: str, unit: str, description: str, bounds: tuple[float, ...]) -> Histograms:
            made = Histograms(name, unit, description, bounds, most=most)
            self.histograms.append(made)
            return made

        self.sums: list[Sums] = []
        self.histograms: list[Histograms] = []
        self.requests = sums("gateway.request.total", "{request}", "Finished requests.")
        self.errors = sums("gateway.request.error", "{request}", "Requests that ended with a status of 400 or more.")
        self.duration = histograms("gateway.request.duration", "s", "From arrival to the last byte.", _SECONDS)
        self.overhead = histograms("gateway.request.overhead", "s", "The gateway's own part of it.", _MILLIS)
        self.tokens = histograms(names.TOKEN_USAGE, "{token}", "Number of input and output tokens used.", _TOKENS)
        self.operations = histograms(names.OPERATION_DURATION, "s", "GenAI operation duration.", _SECONDS)
        self.first_chunk = histograms(
            names.TIME_TO_FIRST_CHUNK, "s", "From the call of the provider to its first chunk.", _FIRST
        )
        self.first_token = histograms(
            names.TIME_TO_FIRST_TOKEN, "s", "From the request's arrival to the first chunk of its answer.", _FIRST
        )
        self.each_token = histograms(
            names.TIME_PER_OUTPUT_TOKEN, "s", "Time per output token after the first one of a stream.", _EACH
        )
        self.speed = histograms(
            names.TOKENS_PER_SECOND, "{token}/s", "Output tokens by the duration of the call.", _SPEED
        )
        self.mcp_server = histograms(
            names.MCP_SERVER_DURATION, "s", "From an MCP request's arrival to what its server said.", _CALLS
        )
        self.mcp_client = histograms(
            names.MCP_CLIENT_DURATION, "s", "From the call of an MCP server to its answer.", _CALLS
        )
        self.mcp_server_sessions = histograms(
            names.MCP_SERVER_SESSION, "s", "From a client's handshake to the end of its session.", _SESSIONS
        )
        self.mcp_client_sessions = histograms(
            names.MCP_CLIENT_SESSION, "s", "From the handshake with an MCP server to the end of the session.", _SESSIONS
        )
        self.attempts = sums("gateway.attempt.total", "{attempt}", "Calls to providers, by how they ended.")
        self.cost = sums("gateway.cost.total", "{USD}", "Cost of all calls to providers, failed ones included.")
        self.task_cost = histograms(
            "gateway.cost.task", "{USD}", "Cost of a completed request, all its attempts together.", _DOLLARS
        )
        self.decisions = sums("gateway.routing.decision", "{decision}", "Models that strategies chose.")
        self.candidates = histograms("gateway.routing.candidates", "{model}", "Models that were ranked.", _FEW)
        self.routing = histograms("gateway.routing.duration", "s", "What the choice of the model took.", _MILLIS)
        self.fallbacks = sums("gateway.routing.fallback", "{request}", "Requests that another model had to answer.")
        self.objections = sums("gateway.guardrail.objection", "{objection}", "What guards objected.")
        self.denials = sums(
            "gateway.governance.enforcement.denial", "{request}", "Requests that rights, limits or budgets refused."
        )
        self.refusals = sums("gateway.admission.refused", "{request}", "Requests that were not let in.")
