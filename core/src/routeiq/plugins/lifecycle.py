"""The plugins of one runtime: built from the configuration, set up in order, handed over at a reload, torn down.

How a plugin is found and checked is `load`'s; requests never come here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from routeiq.config.position import Positions
from routeiq.plugins.compiled import Pipeline, bind, compile_pipeline
from routeiq.plugins.discover import Found, claimants
from routeiq.plugins.load import NO_DOCUMENT, Examined, construct, examine
from routeiq.plugins.lock import check_lock
from routeiq.plugins.locked_imports import hold_imports_to
from routeiq.plugins.member import GatewayFor, Member
from routeiq.plugins.order import Placed, order
from routeiq.plugins.policy import OPEN, Policy
from routeiq.plugins.select import UNPLACED, Selected, check_names, notice_of_absence
from routeiq_sdk import PluginError
from routeiq_sdk.gateway import Directory, Embedders, ModelAdapters, Strategies
from routeiq_sdk.values.delegation import Delegation
from routeiq_sdk.values.http import Routes
from routeiq_sdk.values.tools import ToolServer


class PluginSet:
    """The plugins of one runtime, in order, and the pipeline compiled from them.

    A reload builds the next set beside the serving one, opens it, swaps, and closes the old one:
    `new = build(..., previous=old)`, `await new.open(...)`, ..., `await old.close(keep=new.members)`.
    """

    def __init__(
        self,
        members: Iterable[Member] = (),
        *,
        notices: Iterable[str] = (),
        rivals: Iterable[tuple[Member, Member]] = (),
    ) -> None:
        self.members = tuple(members)
        self.notices = tuple(notices)
        """One line each, to show at start."""
        self.pipeline: Pipeline = compile_pipeline((member.examined.type, member.calls) for member in self.members)
        self._rivals = dict(rivals)
        """New members, each with the old one whose exclusive resource it takes over."""

    @classmethod
    def build(
        cls,
        selection: Iterable[Selected],
        founds: Iterable[Found],
        *,
        policy: Policy = OPEN,
        positions: Positions = UNPLACED,
        document: Mapping[str, Any] = NO_DOCUMENT,
        lock: Path | None = None,
        previous: PluginSet | None = None,
    ) -> PluginSet:
        """Load, construct and order. No plugin is set up, and nothing of `previous` changes.

        A plugin whose configuration and distribution are those of `previous` keeps its instance. With `lock`, plugins
        are imported from the files it covers alone, now and later. Raises `PluginError` or `ConfigError`.
        """
        founds = tuple(founds)
        selection = tuple(selection)
        check_names(selection, {found.name for found in founds}, positions)
        present = tuple(one for one in selection if one.required or claimants(one.name, founds))
        if lock is not None:
            claims = [claim for one in present for claim in claimants(one.name, founds)]
            hold_imports_to(check_lock(lock, claims))

        old = {member.name: member for member in (previous.members if previous else ())}
        members: dict[str, Member] = {}
        rivals: list[tuple[Member, Member]] = []
        for selected in present:
            examined = examine(selected, founds, policy=policy, positions=positions, document=document)
            before = old.get(selected.name)
            _same_code(examined, before)
            if before is not None and before.examined == examined:
                members[selected.name] = before
                continue
            instance = construct(examined)
            member = members[selected.name] = Member(examined, instance, bind(examined, instance))
            if before is not None and before.examined.type.exclusive & examined.type.exclusive:
                rivals.append((member, before))

        names = order([placed(one, members[one.name].examined) for one in present])
        notices = [notice_of_absence(one.name) for one in selection if one not in present]
        return cls((members[name] for name in names), notices=notices, rivals=rivals)

    async def open(self, gateway_for: GatewayFor) -> None:
        """Set up the new members in order. A failure tears down those set up, the failed one included, and raises.

        Old instances that gave up an exclusive resource are then set up again.
        """
        opened: list[Member] = []
        displaced: list[Member] = []
        try:
            for member in self.members:
                if member.is_open:
                    continue
                rival = self._rivals.get(member)
                if rival is not None and rival.is_open:
                    displaced.append(rival)
                    await rival.close()
                opened.append(member)
                await member.open(gateway_for)
        except BaseException:
            for member in reversed(opened):
                await member.close()
            for rival in displaced:
                await rival.reopen()
            raise

    async def close(self, keep: Collection[Member] = ()) -> None:
        """Tear down, in reverse order, all members but those that the successor keeps. Failures are logged."""
        for member in reversed(self.members):
            if member not in keep:
                await member.close()

    def collect_routes(self, routes_of: Callable[[str], Routes]) -> None:
        """Let the plugins add their routes; `routes_of` takes a plugin's name. Raises `PluginError`."""
        self._collect("register_routes", routes_of)

    def collect_strategies(self, strategies: Strategies) -> None:
        """Let the plugins offer their strategies. Raises `PluginError`."""
        self._collect("register_strategies", lambda plugin: strategies)

    def collect_embedders(self, embedders: Embedders) -> None:
        """Let the plugins offer their embedders. Raises `PluginError`."""
        self._collect("register_embedders", lambda plugin: embedders)

    def collect_directory(self) -> Directory | None:
        """The directory that a plugin offers. Raises `PluginError` when two do."""
        found: Directory | None = self._the_one("offer_directory", "a directory of users")
        return found

    def collect_adapters(self, adapters: ModelAdapters) -> None:
        """Let the plugins offer providers. Raises `PluginError`."""
        self._collect("register_adapters", lambda plugin: adapters)

    def collect_delegation(self) -> Delegation | None:
        """The delegation that a plugin offers. Raises `PluginError` when two do."""
        found: Delegation | None = self._the_one("offer_delegation", "delegation")
        return found

    def collect_tool_servers(self) -> dict[str, ToolServer]:
        """The servers inside the gateway, by name. Raises `PluginError` when two have one name."""
        found: dict[str, ToolServer] = {}
        for call in self.pipeline.offer_tool_servers:
            for server in call.function():
                if server.name in found:
                    raise PluginError(call.plugin, f"offers a tool server {server.name!r}, and so does another plugin.")
                found[server.name] = server
        return found

    async def collect_rows(self) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
        """The rows of models that plugins add, by plugin. Raises `PluginError`."""
        found = []
        for call in self.pipeline.model_rows:
            try:
                found.append((call.plugin, await call.function()))
            except PluginError:
                raise
            except Exception as error:
                raise PluginError(
                    call.plugin, f"({call.distribution}) model_rows failed: {type(error).__name__}: {error}"
                ) from error
        return found

    def _the_one(self, hook: str, what: str) -> Any:
        """What one plugin offers, or `None`."""
        found = None
        for call in self.pipeline.at(hook):
            offered = call.function()
            if offered is not None and found is not None:
                raise PluginError(call.plugin, f"offers {what}, and so does another plugin.")
            found = offered if offered is not None else found
        return found

    def _collect(self, hook: str, target_of: Callable[[str], object]) -> None:
        for call in self.pipeline.at(hook):
            try:
                call.function(target_of(call.plugin))
            except PluginError:
                raise
            except Exception as error:
                raise PluginError(
                    call.plugin, f"({call.distribution}) {hook} failed: {type(error).__name__}: {error}"
                ) from error


def placed(selected: Selected, examined: Examined) -> Placed:
    """A plugin's wishes about its order: those of its class and those of the YAML."""
    return Placed(
        selected.name,
        before=examined.type.before | frozenset(selected.before),
        after=examined.type.after | frozenset(selected.after),
        kind=examined.found.kind,
    )


def _same_code(examined: Examined, before: Member | None) -> None:
    """A process imports a module once: after an upgrade on disk it would run the old code under the new version."""
    if before is None:
        return
    new, old = examined.found, before.examined.found
    if new.distribution == old.distribution and new.version != old.version:
        raise PluginError(
            new.name,
            f"({new.distribution}) was changed on disk from {old.version} to {new.version}; a reload cannot load it.",
            mend="restart the gateway.",
        )
