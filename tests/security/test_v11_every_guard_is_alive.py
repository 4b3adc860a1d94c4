"""V11: each protection refuses its attack, and the attack succeeds once it is switched off: no protection is dead."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .conftest import Govern
from .protections import PROTECTIONS, Bed, Protection
from .protections_of_tools import TOOLS

ALL = (*PROTECTIONS, *TOOLS)


@pytest.mark.parametrize("protection", ALL, ids=lambda protection: protection.name)
async def test_the_attack_is_refused_and_succeeds_without_the_protection(
    gateway: StartGateway,
    govern: Govern,
    scripted_upstream: ScriptedUpstream,
    plugin_folder: PluginFolder,
    tmp_path: Path,
    protection: Protection,
) -> None:
    async with AsyncExitStack() as stack, ScriptedUpstream() as canary:
        bed = Bed(gateway, govern, scripted_upstream, canary, plugin_folder, tmp_path, kept={"stack": stack})
        await protection.prepare(bed)
        assert not await protection.attack(bed), "the attack got through"
        with protection.off():
            assert await protection.attack(bed), "switched off, it makes no difference: it is dead, or the attack is"
        assert not await protection.attack(bed), "the attack got through afterwards"


def test_each_protection_is_named_once() -> None:
    names = [protection.name for protection in ALL]
    assert len(names) == len(set(names)) > 20
