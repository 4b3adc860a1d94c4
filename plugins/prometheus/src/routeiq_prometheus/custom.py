"""Labels that the configuration adds: fields of the metadata of keys and teams, and tags of requests.

Metadata that a client writes into its request is never a label: anybody could make label sets without end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import translate
from typing import Any

from routeiq_prometheus.config import PrometheusConfig
from routeiq_sdk import Principal


class CustomLabels:
    """Their `names`, and their values for a request."""

    def __init__(self, config: PrometheusConfig, taken: frozenset[str]) -> None:
        paths: dict[str, tuple[str, ...]] = {}
        for written in config.metadata_labels:
            name = label_name(written.replace(".", "_"))
            if name not in taken:
                paths.setdefault(name, tuple(written.removeprefix("metadata.").split(".")))
        tags: dict[str, re.Pattern[str]] = {}
        for tag in config.tag_labels:
            name = label_name(f"tag_{tag}")
            if name not in taken and name not in paths:
                tags.setdefault(name, re.compile(translate(tag) if "*" in tag else re.escape(tag) + r"\Z"))
        self.names = (*paths, *tags)
        self._paths = tuple(paths.values())
        self._tags = tuple(tags.values())

    def values(self, principal: Principal | None, tags: tuple[str, ...]) -> tuple[str, ...]:
        """One value a name: text of the metadata (else nothing), `true` or `false` for a tag."""
        metadata = principal.attributes.get("metadata") if principal is not None else None
        found = tuple(_at(metadata, path) for path in self._paths)
        told = tuple("true" if any(map(pattern.match, tags)) else "false" for pattern in self._tags)
        return found + told


def label_name(text: str) -> str:
    """`text` as the name of a label: letters, digits and underscores, no digit first."""
    name = re.sub(r"[^a-zA-Z0-9_]", "_", text)
    return f"_{name}" if name[0].isdigit() else name


def _at(value: Any, path: tuple[str, ...]) -> str:
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""
