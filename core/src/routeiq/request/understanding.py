"""From a body's fields to the request they mean on a surface.

Errors are worded in `errors`; what the fields do is decided further down the road.
"""

from __future__ import annotations

from collections.abc import Mapping

from routeiq.errors import Errors
from routeiq.surfaces.base import Surface
from routeiq.upstream.fields import REFUSED
from routeiq.wires.body import Body, Raw, text_field
from routeiq_sdk import Context, RequestError
from routeiq_sdk.guards.rails import named_by_caller, names_in

_LONGEST_MODEL = 1024
_STREAM = {b"true": True, b"false": False, b"null": False}


def understand(surface: Surface, fields: dict[str, Raw], asked_model: str | None, errors: Errors) -> Body:
    """The request. `asked_model` comes from the path where the protocol puts it there. Raises `RequestError`."""
    for name in sorted(REFUSED & fields.keys()):
        raise errors.refused_field(name)
    try:
        model = asked_model or text_field(fields, "model")
    except TypeError:
        raise errors.wrong_type("model", "a string") from None
    if not model:
        raise errors.missing("model")
    if len(model) > _LONGEST_MODEL:  # it comes back in headers, logs and records
        raise errors.too_long("model", _LONGEST_MODEL)
    surface.check(fields, errors)
    raw = fields.get("stream")
    stream = False if raw is None else _STREAM.get(bytes(raw))
    if stream is None:
        raise errors.wrong_type("stream", "a boolean")
    return Body(surface.wire, fields, model, stream)


def check_guardrails(ctx: Context, body: Body, known: frozenset[str]) -> None:
    """Whoever asks for a guardrail relies on it: one that does not exist refuses the request. Raises `RequestError`."""
    for field in ("guardrails", "metadata", "litellm_metadata"):
        raw = body.fields.get(field)
        if raw is None or (field != "guardrails" and b'"guardrails"' not in bytes(raw)):
            continue
        told = body.param(field)
        if field != "guardrails":
            told = told.get("guardrails") if isinstance(told, Mapping) else None
        for name in names_in(told):
            if name not in known:
                raise RequestError(
                    400, f"There is no guardrail {name!r}; GET /guardrails/list names them.", param="guardrails"
                )
    for name in named_by_caller(ctx):
        if name not in known:
            raise RequestError(
                403,
                f"The key or its team asks for the guardrail {name!r}, which the gateway does not have: "
                "add it to `guardrails`, or take it from the key.",
                type="permission_error",
            )
