"""Every error a client can meet on the road, said as the compatibility profile says it, and the failure of a call
behind it.

The shape on the wire is each surface's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from routeiq.known_secrets import conceal
from routeiq_sdk import RequestError

OLD = "1.80"

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "throttling_error",
    500: "internal_server_error",
    502: "internal_server_error",
    503: "internal_server_error",
}


class UpstreamError(Exception):
    """A call that failed. `kind` is an outcome kind (`error`, `timeout`, `cut`, `garbage`).

    `status` is the provider's HTTP status, 0 when none came. `name` is the class of failure in the field's vocabulary
    (`RateLimitError`, `Timeout`, ...). `message` is the provider's own text, fit for the client.
    """

    def __init__(
        self,
        kind: str,
        status: int,
        name: str,
        message: str,
        *,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        dispatched: bool = True,
    ) -> None:
        self.kind = kind
        self.status = status
        self.name = name
        self.message = message = conceal(message)  # providers quote the key that they refuse
        self.type = type and conceal(type)
        self.code = code and conceal(code)
        self.param = param and conceal(param)
        self.headers = dict(headers or {})
        self.retry_after = retry_after
        self.dispatched = dispatched
        self.timeout: float | None = None
        """Seconds the call might have taken; the attempt loop knows."""
        super().__init__(f"{name}: {message}")


class Errors:
    """Writes errors in the words of one LiteLLM profile."""

    def __init__(self, profile: str) -> None:
        self.profile = profile
        self._old = profile == OLD

    def no_key(self) -> RequestError:
        """The request carries no credential."""
        return RequestError(401, "Authentication Error, No api key passed in.", type="auth_error")

    def unknown_key(self, key: str) -> RequestError:
        """The credential is not known. The old profile names the key's hash, the new one nothing."""
        if self._old:
            digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
            message = (
                "Authentication Error, Invalid proxy server token passed. "
                f"Received API Key hash = {digest}. Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
            )
            return RequestError(401, message, type="token_not_found_in_db", param="key")
        return RequestError(
            401, "Authentication Error, Invalid API key provided.", type="token_not_found_in_db", param="key"
        )

    def admin_only(self, route: str) -> RequestError:
        """The route needs the master key."""
        return RequestError(403, f"Only a proxy admin may call {route}.", type="auth_error")

    def model_denied(self, model: str, allowed: Iterable[str]) -> RequestError:
        """The credential may not use this model."""
        if self._old:
            names = ", ".join(sorted(allowed))
            message = (
                f"key not allowed to access model. This key can only access models=[{names}]. Tried to access {model}"
            )
            return RequestError(401, message, type="key_model_access_denied", param="model")
        return RequestError(
            403,
            "The requested model is not available for this API key.",
            type="key_model_access_denied",
            param="model",
        )

    def unknown_model(self, route: str, model: str) -> RequestError:
        """No model group, alias or wildcard answers to this name."""
        if self._old:
            message = (
                f"{route}: Invalid model name passed in model={model}. "
                "Call `/v1/models` to view available models for your key."
            )
        else:
            message = f"You passed in model={model}. There are no healthy deployments for this model"
        return RequestError(400, message, param="model")

    def bad_json(self, why: str) -> RequestError:
        """The body is not a JSON object."""
        return RequestError(400, f"Invalid JSON payload: {why}", param="request_body")

    def missing(self, field: str) -> RequestError:
        """A field that the protocol needs is not there."""
        return RequestError(400, f"Missing required parameter: '{field}'.", param=field)

    def wrong_type(self, field: str, wanted: str) -> RequestError:
        """A field has the wrong JSON type."""
        return RequestError(400, f"Invalid type for '{field}': expected {wanted}.", param=field)

    def refused_field(self, field: str) -> RequestError:
        """A field by which the client would change where a provider's key goes."""
        return RequestError(
            400,
            f"'{field}' may not be set by a client. The operator sets it on the deployment in the gateway's YAML.",
            param=field,
        )

    def too_deep(self, limit: int) -> RequestError:
        """The JSON is nested too deeply."""
        return RequestError(400, f"JSON nested deeper than {limit} levels.", param="request_body")

    def too_large(self, limit_mib: float) -> RequestError:
        """The body is larger than the gateway takes. LiteLLM answers this one with a flat string."""
        return RequestError(
            413, f"Request size is too large. Max size is {limit_mib:g} MB", type="request_too_large", code="flat"
        )

    def slow_body(self, seconds: float) -> RequestError:
        """The body did not arrive in time."""
        return RequestError(
            408, f"The request body did not arrive within {seconds:g} s.", headers={"connection": "close"}
        )

    def overloaded(self, retry_after: float) -> RequestError:
        """Too many requests are in flight."""
        return RequestError(
            503,
            "The gateway is at its bound of requests in flight. Try again later.",
            type="overloaded_error",
            headers={"retry-after": f"{retry_after:g}"},
        )

    def cooling(self, model: str, seconds: float) -> RequestError:
        """Every deployment of the model is benched."""
        wait = max(1, round(seconds))
        return RequestError(
            429,
            f"No deployments available for selected model, Try again in {wait} seconds. Passed model={model}.",
            type="all_deployments_in_cooldown",
            headers={"retry-after": str(wait)},
        )

    def no_target(self, model: str, why: str) -> RequestError:
        """Plugins refused every deployment."""
        return RequestError(403, f"No deployment of {model} may serve this request: {why}", type="permission_error")

    def out_of_reach(self, model: str, tenant: str) -> RequestError:
        """Every deployment is outside the egress list of the caller's tenant."""
        return RequestError(
            403,
            f"The egress list of {tenant!r} (routeiq.egress.tenants) covers no deployment of {model}.",
            type="permission_error",
        )

    def not_served(self, model: str, what: str) -> RequestError:
        """The model exists but cannot do what this route asks."""
        return RequestError(400, f"{model} does not serve {what}.", param="model")

    def too_long(self, name: str, most: int) -> RequestError:
        """A field is longer than any sensible value."""
        return RequestError(400, f"{name} is longer than {most} characters.", param=name)

    def unexpected(self, request_id: str) -> RequestError:
        """A fault of the gateway itself. The log has the details, the client only the id."""
        return RequestError(
            500,
            f"Internal error. The gateway's log has it under request id {request_id}.",
            type="internal_server_error",
        )

    def plugin_failed(self, plugin: str, stage: str) -> RequestError:
        """A plugin that must agree could not answer."""
        return RequestError(
            503,
            f"The request was refused because the plugin '{plugin}' failed at '{stage}'.",
            type="internal_server_error",
            headers={"retry-after": "1"},
        )

    def upstream(self, error: UpstreamError, model: str, fallbacks: Iterable[str] | None) -> RequestError:
        """A provider's failure after all attempts, in LiteLLM's words."""
        status = _status(error)
        kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "internal_server_error")
        if error.status in (400, 422) and error.type and error.name == "BadRequestError":
            kind = error.type
        tried = list(fallbacks) if fallbacks else None
        message = (
            f"litellm.{error.name}: {error.message}. Received Model Group={model}\n"
            f"Available Model Group Fallbacks={tried}"
        )
        headers = {}
        if error.retry_after is not None and status in (429, 503):
            headers["retry-after"] = f"{error.retry_after:g}"
        return RequestError(status, message, type=kind, param=error.param, code=error.code, headers=headers)


def _status(error: UpstreamError) -> int:
    if error.kind == "timeout":
        return 408
    if error.kind in ("cut", "garbage"):
        return 502
    if error.status == 0:
        return 502 if error.name == "APIConnectionError" else 500
    return error.status
