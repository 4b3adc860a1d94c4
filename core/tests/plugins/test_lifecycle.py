"""Plugins are set up in order and torn down in reverse; a reload keeps what did not change; a failure undoes itself."""

from __future__ import annotations

import asyncio
import sys
import types
from typing import Any

import pytest

from routeiq.plugins import member as member_module
from routeiq.plugins.discover import scan
from routeiq.plugins.lifecycle import PluginSet
from routeiq.plugins.select import Selected
from routeiq_sdk import ConfigError, PluginError
from routeiq_sdk.testing import FakeGateway

NOTED = """
from routeiq_journal import note

class Conf(PluginConfig):
    tag: str = Field("", description="Told apart by it.")
    fail: str = Field("", description="Where to fail.")

class It(Plugin[Conf]):
    {attributes}

    def said(self, what):
        note(what + " " + __name__.removeprefix("routeiq_") + self.config.tag)
        if self.config.fail == what:
            raise RuntimeError(what + " is broken")

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        self.said("setup")

    @hookimpl
    async def teardown(self) -> None:
        self.said("teardown")

    @hookimpl
    def register_routes(self, routes: Any) -> None:
        self.said("routes")

    @hookimpl
    def register_strategies(self, strategies: Any) -> None:
        self.said("strategies")
"""


@pytest.fixture
def journal(site, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    noted = types.ModuleType("routeiq_journal")
    entries: list[str] = []
    noted.note = entries.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "routeiq_journal", noted)
    for name, attributes in (("a", "pass"), ("b", "pass"), ("c", "pass"), ("wal", "exclusive = frozenset({'log'})")):
        site.install(name, NOTED.replace("{attributes}", attributes))
    return entries


def build(previous: PluginSet | None = None, **configs: dict[str, Any]) -> PluginSet:
    selection = [Selected(name, config, required=True) for name, config in configs.items()]
    return PluginSet.build(selection, scan(), previous=previous)


async def opened(previous: PluginSet | None = None, **configs: dict[str, Any]) -> PluginSet:
    plugins = build(previous, **configs)
    await plugins.open(FakeGateway)
    return plugins


async def test_set_up_is_in_order_and_teardown_in_reverse(journal: list[str]) -> None:
    plugins = await opened(b={}, a={})
    await plugins.close()
    assert journal == ["setup b", "setup a", "teardown a", "teardown b"]


async def test_building_sets_nothing_up(journal: list[str]) -> None:
    build(a={}, b={})
    assert journal == []


async def test_teardown_happens_once(journal: list[str]) -> None:
    plugins = await opened(a={})
    await plugins.close()
    await plugins.close()
    assert journal == ["setup a", "teardown a"]


async def test_a_failed_set_up_tears_down_what_was_set_up_the_failed_one_included(journal: list[str]) -> None:
    plugins = build(a={}, b={"fail": "setup"}, c={})
    with pytest.raises(PluginError, match=r"plugin 'b': \(routeiq-b 1.0\) setup failed: RuntimeError: setup is broken"):
        await plugins.open(FakeGateway)
    assert journal == ["setup a", "setup b", "teardown b", "teardown a"]


async def test_a_failing_teardown_does_not_keep_the_others_from_theirs(journal: list[str]) -> None:
    plugins = await opened(a={}, b={"fail": "teardown"})
    await plugins.close()
    assert journal[2:] == ["teardown b", "teardown a"]


async def test_a_reload_keeps_the_instance_of_what_did_not_change(journal: list[str]) -> None:
    old = await opened(a={}, b={})
    new = await opened(old, a={}, b={"tag": "2"})
    await old.close(keep=new.members)
    await new.close()
    assert journal == ["setup a", "setup b", "setup b2", "teardown b", "teardown b2", "teardown a"]
    assert new.members[0].instance is old.members[0].instance
    assert new.members[1].instance is not old.members[1].instance


async def test_a_kept_plugin_keeps_its_figures(journal: list[str]) -> None:
    old = await opened(a={})
    old.pipeline.setup[0].stats.add(5)
    new = await opened(old, a={}, b={})
    assert new.pipeline.setup[0].stats.calls == 1
    await new.close()


async def test_a_reload_that_fails_leaves_the_old_set_serving(journal: list[str]) -> None:
    old = await opened(a={}, b={})
    with pytest.raises(PluginError):
        await opened(old, a={}, b={"tag": "2"}, c={"fail": "setup"})
    assert journal[2:] == ["setup b2", "setup c", "teardown c", "teardown b2"]
    assert all(member.is_open for member in old.members)
    await old.close()


async def test_a_removed_plugin_is_torn_down_with_the_old_set(journal: list[str]) -> None:
    old = await opened(a={}, b={})
    new = await opened(old, a={})
    await old.close(keep=new.members)
    assert journal[-1] == "teardown b"
    await new.close()


async def test_an_exclusive_resource_is_handed_over(journal: list[str]) -> None:
    old = await opened(a={}, wal={})
    new = await opened(old, a={}, wal={"tag": "2"})
    assert journal[2:] == ["teardown wal", "setup wal2"]
    await old.close(keep=new.members)
    assert journal[4:] == []
    await new.close()


async def test_an_exclusive_resource_goes_back_when_its_new_holder_fails(journal: list[str]) -> None:
    old = await opened(wal={})
    with pytest.raises(PluginError):
        await opened(old, wal={"tag": "2", "fail": "setup"})
    assert journal == ["setup wal", "teardown wal", "setup wal2", "teardown wal2", "setup wal"]
    await old.close()
    assert journal[-1] == "teardown wal"


async def test_an_exclusive_resource_goes_back_when_a_later_plugin_fails(journal: list[str]) -> None:
    old = await opened(wal={})
    with pytest.raises(PluginError):
        await opened(old, wal={"tag": "2"}, c={"fail": "setup"})
    assert journal[-3:] == ["teardown c", "teardown wal2", "setup wal"]
    await old.close()


async def test_a_cancelled_set_up_is_undone(journal: list[str], site) -> None:
    site.install(
        "slow",
        """
        import asyncio
        from routeiq_journal import note
        class It(Plugin):
            @hookimpl
            async def setup(self, gateway):
                note("setup slow")
                await asyncio.Event().wait()
            @hookimpl
            async def teardown(self):
                note("teardown slow")
        """,
    )
    plugins = build(a={}, slow={})
    opening = asyncio.create_task(plugins.open(FakeGateway))
    while "setup slow" not in journal:
        await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert journal == ["setup a", "setup slow", "teardown slow", "teardown a"]


@pytest.mark.parametrize("hook", ["setup", "teardown"])
async def test_set_up_and_teardown_have_deadlines(
    hook: str, journal: list[str], site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_module, f"{hook.upper()}_SECONDS", 0.02)
    parameters = "self, gateway" if hook == "setup" else "self"
    source = f"""
    import asyncio
    class It(Plugin):
        @hookimpl
        async def {hook}({parameters}):
            await asyncio.Event().wait()
    """
    site.install("stuck", source)
    plugins = build(a={}, stuck={})
    if hook == "setup":
        with pytest.raises(PluginError, match=r"did not end within 0\.02 s"):
            await plugins.open(FakeGateway)
    else:
        await plugins.open(FakeGateway)
        await plugins.close()
    assert journal == ["setup a", "teardown a"]


async def test_background_work_ends_after_teardown(journal: list[str]) -> None:
    closed: list[str] = []

    class Handle(FakeGateway):
        async def aclose(self) -> None:
            closed.append(f"{self.plugin} after {journal[-1]}")
            await super().aclose()

    plugins = build(a={})
    await plugins.open(Handle)
    await plugins.close()
    assert closed == ["a after teardown a"]


async def test_routes_and_strategies_are_collected_in_order(journal: list[str]) -> None:
    plugins = build(b={}, a={})
    plugins.collect_strategies(object())  # type: ignore[arg-type]
    plugins.collect_routes(lambda plugin: object())  # type: ignore[arg-type, return-value]
    assert journal == ["strategies b", "strategies a", "routes b", "routes a"]


async def test_a_failing_registration_names_the_plugin(journal: list[str]) -> None:
    with pytest.raises(PluginError, match=r"plugin 'b': \(routeiq-b\) register_routes failed: RuntimeError"):
        build(a={}, b={"fail": "routes"}).collect_routes(lambda plugin: object())  # type: ignore[arg-type, return-value]


def test_a_missing_plugin_of_the_profile_is_a_notice_and_a_named_one_an_error(journal: list[str]) -> None:
    optional = Selected("nobody", {}, required=False)
    plugins = PluginSet.build([optional, Selected("a", {}, required=True)], scan())
    assert [member.name for member in plugins.members] == ["a"]
    assert plugins.notices == ("the profile's plugin nobody is not installed (pip install routeiq-nobody)",)
    with pytest.raises(PluginError):
        PluginSet.build([optional._replace(required=True)], scan())


def test_the_order_of_the_yaml_holds_at_every_gate(journal: list[str]) -> None:
    selection = [Selected("a", {}, True, after=("c",)), Selected("b", {}, True), Selected("c", {}, True, before=("b",))]
    plugins = PluginSet.build(selection, scan())
    assert [call.plugin for call in plugins.pipeline.setup] == ["c", "a", "b"]


def test_an_unknown_name_in_the_order_is_an_error(journal: list[str]) -> None:
    with pytest.raises(ConfigError, match="unknown plugin"):
        PluginSet.build([Selected("a", {}, True, after=("nobody-at-all",))], scan())


async def test_code_that_changed_on_disk_needs_a_restart(journal: list[str], site) -> None:
    old = await opened(a={})
    for file in (site.folder / "routeiq_a-1.0.dist-info").iterdir():
        file.unlink()
    (site.folder / "routeiq_a-1.0.dist-info").rmdir()
    site.install("a", NOTED.replace("{attributes}", "pass"), version="1.1")
    with pytest.raises(PluginError, match=r"changed on disk from 1\.0 to 1\.1.*restart"):
        build(old, a={})
    await old.close()


def test_a_lock_is_checked_before_anything_is_imported(journal: list[str], site, tmp_path) -> None:
    site.install("bomb", "raise SystemExit('imported')")
    lock = tmp_path / "lock"
    lock.write_text('{"format": 1, "plugins": {}}')
    with pytest.raises(PluginError, match="is not in"):
        PluginSet.build([Selected("bomb", {}, required=True)], scan(), lock=lock)
