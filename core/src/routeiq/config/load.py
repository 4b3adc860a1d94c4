"""From a file to a `Config`: read, resolve, check, classify. The steps in order, each in a module of its own.

Nothing is imported or opened that a configuration names, except its includes, its secret files, and the store of
secrets when a secret refers to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from routeiq.config.accepted import sort_accepted
from routeiq.config.classify import classify
from routeiq.config.crosscheck import CrossCheck
from routeiq.config.errors import Problems, problem_at
from routeiq.config.master_key import master_key_problem
from routeiq.config.model import Config, guardrail_names
from routeiq.config.notices import Notice
from routeiq.config.position import Place
from routeiq.config.references import resolve
from routeiq.config.revision import revision
from routeiq.config.routeiq_block import RouteiqBlock
from routeiq.config.rows import RowReader
from routeiq.config.settings import GeneralSettings, LitellmSettings, RouterSettings, effective_router
from routeiq.config.source import Document, read, read_text
from routeiq.config.validation import Open, Strict, checked, without_nulls
from routeiq_sdk.errors import ConfigError

DEFAULT_TEXT = "general_settings: {master_key: os.environ/ROUTEIQ_MASTER_KEY}\n"
_TYPED = frozenset(
    {"model_list", "credential_list", "router_settings", "litellm_settings", "general_settings", "routeiq"}
)
_PLUGINS = "plugins"
S = TypeVar("S", bound=Open | Strict)


def load(path: Path, env: Mapping[str, str] | None = None, *, strict: bool | None = None) -> Config:
    """The configuration of a file. Raises `ConfigErrors` with every problem; `strict` overrides `routeiq.strict`."""
    return _build(read(Path(path)), os.environ if env is None else env, strict)


def loads(
    text: str, name: str = "<string>", env: Mapping[str, str] | None = None, *, strict: bool | None = None
) -> Config:
    """The configuration of a text, as `load`."""
    return _build(read_text(text, name), os.environ if env is None else env, strict)


def load_default(env: Mapping[str, str] | None = None) -> Config:
    """The configuration without a file: no models, and the master key of the variable ROUTEIQ_MASTER_KEY."""
    return loads(DEFAULT_TEXT, "<default>", env)


def _build(document: Document, env: Mapping[str, str], strict: bool | None) -> Config:
    problems = Problems(document.positions)
    resolved = resolve(document.data, document.positions, env, problems)
    data = resolved.data
    sections = _Sections(data, problems)
    block = sections.checked(RouteiqBlock, "routeiq")
    written_router = sections.checked(RouterSettings, "router_settings")
    litellm = sections.checked(LitellmSettings, "litellm_settings")
    general = sections.checked(GeneralSettings, "general_settings")
    defaults = written_router.default_litellm_params
    reader = RowReader(data.get("credential_list"), defaults, problems)
    rows = reader.rows(data.get("model_list"))
    if sections.sound("routeiq", "general_settings"):
        written = _writes_master_key(document.data)
        problem = master_key_problem(general.master_key, written, block.server, document.positions, env)
        problems.found += [problem] if problem else []

    cross = CrossCheck(rows, reader.names, written_router, block, problems, guardrail_names(data))
    if sections.sound("routeiq", "router_settings", "litellm_settings"):
        cross.run(litellm)
    report = classify(data, document.positions)
    protective, accepted = sort_accepted(report.protective, block.compat.accept_unenforced, document.positions)
    served = tuple(row for row in rows if not row.model_info.blocked)
    blocked = (
        Notice("info", row.path, "blocked by its model_info: not served", row.file, row.line)
        for row in rows
        if row.model_info.blocked
    )
    notices = (*document.notices, *resolved.notices, *report.notices, *accepted, *cross.notices, *blocked)
    if block.strict if strict is None else strict:
        problems.found += [_as_problem(notice) for notice in notices if notice.level != "info"]
    problems.raise_if_any()
    return Config(
        models=served,
        router=effective_router(written_router, litellm),
        litellm=litellm,
        general=general,
        routeiq=block,
        extra={key: value for key, value in data.items() if key not in _TYPED},
        written=data,
        notices=notices,
        protective=protective,
        revision=revision(data, resolved.environment, general.master_key),
        sources=document.sources,
        environment=resolved.environment,
        positions=document.positions,
    )


class _Sections:
    """Checks sections one by one. In place of a broken one its defaults stand, so that the checks go on."""

    def __init__(self, data: Mapping[str, Any], problems: Problems) -> None:
        self._data = data
        self._problems = problems
        self._broken: set[str] = set()

    def checked(self, model: type[S], name: str) -> S:
        written = without_nulls(self._data.get(name), keep=_PLUGINS if model is RouteiqBlock else None)
        found, wrong = checked(model, written, (name,), self._problems.positions)
        self._problems.found += wrong
        if found is None:
            self._broken.add(name)
            return model()
        return found

    def sound(self, *names: str) -> bool:
        return not self._broken.intersection(names)


def _writes_master_key(data: Mapping[str, Any]) -> bool:
    general = data.get("general_settings")
    return isinstance(general, Mapping) and general.get("master_key") is not None


def _as_problem(notice: Notice) -> ConfigError:
    mend = "mend or remove the key, or leave strict mode"
    return problem_at(Place(notice.file, notice.line), f"{notice.path}: {notice.message}", mend)
