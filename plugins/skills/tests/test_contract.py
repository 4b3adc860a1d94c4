"""What every plugin promises, inherited from the SDK; and an upload is told to the audit trail without its content."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_sdk.testing import PluginContract
from routeiq_skills import Skills
from routeiq_testkit.installed import PluginFolder

from .conftest import Serve
from .writing import skill_md


class TestSkills(PluginContract):
    plugin = Skills
    name = "skills"
    group = "routeiq.protocols"
    config = {"uploads": {}}


@pytest.fixture
def told(plugin_folder: PluginFolder) -> list[Any]:
    """What a plugin that is told of changes was told."""
    EVENTS.clear()
    plugin_folder.install(
        "test-listener",
        f"""
        import sys
        from routeiq_sdk import Plugin, PluginConfig, hookimpl

        class Fixture(Plugin[PluginConfig]):
            @hookimpl
            async def commit(self, event) -> None:
                sys.modules[{__name__!r}].EVENTS.append(event)
        """,
    )
    return EVENTS


EVENTS: list[Any] = []


async def test_uploading_and_deleting_are_told_without_what_was_uploaded(serve: Serve, told: list[Any]) -> None:
    gateway = await serve({"test-listener": {}}, sources=[], uploads={})
    form = b'--b\r\ncontent-disposition: form-data; name="files[]"; filename="pdf/SKILL.md"\r\n\r\n'
    body = form + skill_md("pdf", body="canary-4d1f") + b"\r\n--b--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=b"}
    async with gateway.session.post("/v1/skills", data=body, headers=kind) as response:
        made = await response.json()
    async with gateway.session.get(f"/v1/skills/{made['id']}") as response:
        assert response.status == 200
    async with gateway.session.delete(f"/v1/skills/{made['id']}") as response:
        assert response.status == 200
    seen = [(event.payload["action"], event.payload["phase"]) for event in told]
    assert seen == [
        ("skill:create", "asked"),
        ("skill:create", "done"),
        ("skill:delete", "asked"),
        ("skill:delete", "done"),
    ]
    assert made["id"] in str(told[1])
    assert "canary-4d1f" not in str(told)
