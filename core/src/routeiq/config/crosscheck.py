"""Names that must meet: fallback targets, aliases, virtual models and deployment ids against `model_list`.

Single values were checked before; nothing is resolved to a deployment here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from routeiq.config.errors import Problems, nearest, problem_at
from routeiq.config.notices import Notice, notice_at
from routeiq.config.position import KeyPath, Place, dotted
from routeiq.config.routeiq_block import RouteiqBlock
from routeiq.config.rows import ModelRow
from routeiq.config.settings import LitellmSettings, RouterSettings

_FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


class CrossCheck:
    """Checks the names of one configuration: own blocks by error, LiteLLM's keys by warning."""

    def __init__(
        self,
        rows: tuple[ModelRow, ...],
        names: frozenset[str],
        router: RouterSettings,
        block: RouteiqBlock,
        problems: Problems,
        guardrails: frozenset[str] = frozenset(),
    ) -> None:
        self._rows = rows
        self._router = router
        self._block = block
        self._problems = problems
        self._guardrails = guardrails
        self._patterns = tuple(name for name in names if "*" in name)
        self._groups = names | set(router.model_group_alias)
        self.notices: list[Notice] = []

    def run(self, litellm: LitellmSettings) -> None:
        self._ids()
        self._rows_guardrails()
        for section, settings in (("router_settings", self._router), ("litellm_settings", litellm)):
            for key in _FALLBACKS:
                if key in settings.model_fields_set:
                    self._fallbacks((section, key), getattr(settings, key) or {})
            if "default_fallbacks" in settings.model_fields_set:
                self._targets((section, "default_fallbacks"), settings.default_fallbacks or ())
        for name, alias in self._router.model_group_alias.items():
            self._targets(("router_settings", "model_group_alias", name), (alias.model,))
        self._virtual_models()
        self._both_sections(litellm)
        for row in self._rows:
            if row.router_model:
                message = "a router offered as a model is not served: write a virtual model (routeiq.virtual_models)"
                self.notices.append(Notice("warning", row.path, message, row.file, row.line))

    def _known(self, name: str) -> bool:
        return (
            name in self._groups
            or name in self._block.virtual_models
            or any(fnmatchcase(name, pattern) for pattern in self._patterns)
        )

    def _ids(self) -> None:
        seen: dict[str, ModelRow] = {}
        for row in self._rows:
            if row.model_info.id is None:
                continue
            first = seen.setdefault(row.model_info.id, row)
            if first is not row:
                message = f"{row.path}.model_info.id is also that of {first.path} ({first.file}:{first.line})"
                self._problems.found.append(problem_at(Place(row.file, row.line), message, "give each row its own id"))

    def _rows_guardrails(self) -> None:
        for row in self._rows:
            for name in row.guardrails:
                if name not in self._guardrails:
                    message = f"{row.path}.litellm_params.guardrails: there is no guardrail {name!r}"
                    mend = "add it to guardrails, or take it from the row"
                    self._problems.found.append(problem_at(Place(row.file, row.line), message, mend))

    def _fallbacks(self, path: KeyPath, fallbacks: Mapping[str, Iterable[str]]) -> None:
        for name, targets in fallbacks.items():
            self._targets(path, (*([] if name == "*" else [name]), *targets))

    def _targets(self, path: KeyPath, names: Iterable[str]) -> None:
        for name in names:
            if not self._known(name):
                hint = nearest(name, self._groups)
                message = f"{name!r} is no model_name" + (f"; did you mean {hint!r}?" if hint else "")
                self.notices.append(notice_at(self._problems.positions, "warning", path, message))

    def _virtual_models(self) -> None:
        for name, virtual in self._block.virtual_models.items():
            path: KeyPath = ("routeiq", "virtual_models", name)
            if name in self._groups:
                message = f"{dotted(path)}: {name!r} is also a model_name or an alias"
                self._problems.add(path, message, "give the virtual model a name of its own")
            for member in virtual.models:
                if member in self._block.virtual_models or not self._known(member):
                    hint = nearest(member, self._groups)
                    mend = f"did you mean {hint!r}?" if hint else "name groups of model_list"
                    self._problems.add((*path, "models"), f"{dotted(path)}: {member!r} is no model group", mend)

    def _both_sections(self, litellm: LitellmSettings) -> None:
        for key in sorted(self._router.model_fields_set & litellm.model_fields_set - {"set_verbose"}):
            message = "also written in router_settings, which counts"
            self.notices.append(notice_at(self._problems.positions, "warning", ("litellm_settings", key), message))
