"""RouteIQ, a plugin-first AI gateway. The road of a request is `routeiq.request.pipeline`; start reading there."""

__version__ = "0.1.0"
