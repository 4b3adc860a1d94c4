"""From a body's fields to the request they mean on a surface.

Errors are worded in `errors`; what the fields do is decided further down the road.
"""

from __future__ import annotations

from routeiq.errors import Errors
from routeiq.surfaces.base import Surface
from routeiq.upstream.fields import REFUSED
from routeiq.wires.body import Body, Raw, text_field

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
