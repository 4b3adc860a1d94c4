"""The reference of hooks, from their specifications: signature, when they fire, what a failure does.

The hooks themselves live in `routeiq_sdk.hooks`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from reference_blocks.tables import code, paragraph, table
from routeiq_sdk.hooks import ALL, HookSpec
from routeiq_sdk.hooks.marks import specs_of

FAILURES = {
    "start": "stops the start; at a reload the old configuration serves on",
    "log": "is logged and has no other effect",
    "open": "is logged and lets the request pass",
    "closed": "refuses",
    "skip": "skips the target; the loop goes on with the next",
    "next": "asks the next one, at last the static choice",
    "swallow": "is counted and logged; nobody waits for it",
    "retry": "is tried again later, off the request's path",
}


def signature(group: type, spec: HookSpec) -> str:
    """The line an author writes."""
    written = inspect.signature(getattr(group, spec.name))
    return f"{'async ' if spec.is_async else ''}def {spec.name}{written}".replace("'", "")


def hooks() -> str:
    """Every hook, by subject."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    for group in ALL:
        yield f"## {group.__name__.removesuffix('Hooks')}\n"
        yield paragraph(inspect.getdoc(group) or "") + "\n"
        for spec in specs_of(group):
            yield f"### `{spec.name}` {{ #{spec.name} }}\n"
            yield f"```text\n{signature(group, spec)}\n```\n"
            yield paragraph(spec.doc) + "\n"
            yield f"**Failure:** `{spec.failure}`: it {FAILURES[spec.failure]}. **Since:** {spec.since}.\n"


def hook_overview() -> str:
    """One row a hook, in the order of the road."""
    rows = (
        (f"[`{spec.name}`](#{spec.name})", "async" if spec.is_async else "sync", code(spec.failure), _first(spec))
        for group in ALL
        for spec in specs_of(group)
    )
    return table(("hook", "", "failure", "what for"), rows)


def _first(spec: HookSpec) -> str:
    first = paragraph(spec.doc).split("\n\n")[0].split(". ")[0]
    return first.rstrip(".") + "."
