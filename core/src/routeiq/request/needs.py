"""What a request asks of a model beside words: room for its prompt, tools, vision, JSON, a region.

Which models have it is looked up in `pool`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from routeiq.wires.body import Body
from routeiq.wires.text import estimate_tokens
from routeiq_sdk import Context, RequestError

_PICTURES = frozenset({"image_url", "input_image", "image"})
_OWN_FIELD = "routeiq"


@dataclass(frozen=True, slots=True)
class Needs:
    """`tokens` is a rough upper estimate of the prompt's. `abilities` are words of `Deployment.abilities`."""

    tokens: int
    abilities: frozenset[str]


def needs_of(body: Body) -> Needs:
    """What the request needs. Parses the whole body."""
    fields = body.json()
    found = set()
    if fields.get("tools") or fields.get("functions"):
        found.add("tools")
    form = fields.get("response_format") or fields.get("output_format")
    if isinstance(form, Mapping) and form.get("type") in ("json_schema", "json_object"):
        found.add("json")
    if any(kind in _PICTURES for kind in _kinds(fields.get("messages"))):
        found.add("vision")
    return Needs(estimate_tokens(body.text()), frozenset(found))


def region_of(ctx: Context) -> str | None:
    """The region in which the request must stay: the caller's (`allowed_model_region`), else what the body's
    `routeiq.region` says. Raises `RequestError` when the body asks to leave the caller's region."""
    asked = ctx.request.param(_OWN_FIELD)
    told = asked.get("region") if isinstance(asked, Mapping) else None
    if told is not None and not isinstance(told, str):
        raise RequestError(400, "Invalid type for 'routeiq.region': expected a string.", param="routeiq.region")
    bound = ctx.principal.attributes.get("allowed_model_region")
    if not isinstance(bound, str):
        return told
    if told is not None and not in_region(told, bound):
        raise RequestError(403, f"This key is bound to the region {bound}.", param="routeiq.region")
    return told or bound


def in_region(place: str | None, region: str) -> bool:
    """Whether a deployment's region is the asked one or lies in it: `eu-west-1` and `europe-west4` lie in `eu`."""
    return place is not None and place.lower().startswith(region.lower())


def _kinds(messages: Any) -> Iterator[str]:
    """The types of all content parts, those inside tool results included."""
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, Mapping) else None
        yield from _parts(content)


def _parts(content: Any) -> Iterator[str]:
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping):
            yield str(part.get("type"))
            yield from _parts(part.get("content"))
