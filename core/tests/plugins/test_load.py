"""The ladder: each thing that can be wrong with a plugin is one error that names plugin, distribution and mend."""

from __future__ import annotations

import sys

import pytest

from routeiq.config.errors import ConfigErrors
from routeiq.config.position import Place, Positions
from routeiq.plugins.discover import scan
from routeiq.plugins.load import RUNGS, construct, examine
from routeiq.plugins.policy import Policy
from routeiq.plugins.select import Selected
from routeiq_sdk import PluginError

SOUND = """
class Conf(PluginConfig):
    words: int = Field(3, ge=1, description="How many.")
    token: Secret | None = Field(None, description="A secret.")

class It(Plugin[Conf]):
    @hookimpl
    async def admit(self, ctx: Context) -> Reject | None: ...
"""


def climb(name: str, config: dict[str, object] | None = None, **options: object):
    passed: list[str] = []
    options.setdefault("passed", passed.append)
    examined = examine(Selected(name, config or {}, required=True), scan(), **options)  # type: ignore[arg-type]
    return construct(examined, passed=passed.append), passed


def test_a_sound_plugin_passes_every_rung(site) -> None:
    site.install("sound", SOUND)
    instance, passed = climb("sound", {"words": 5})
    assert instance.config.words == 5
    assert tuple(passed) == RUNGS


def test_a_plugin_that_is_not_installed(site) -> None:
    with pytest.raises(PluginError, match="pip install routeiq-nowhere"):
        climb("nowhere")


def test_a_plugin_that_the_list_does_not_admit_is_not_imported(site) -> None:
    site.install("uninvited", "raise RuntimeError('imported')")
    with pytest.raises(PluginError, match=r"routeiq-uninvited 1.0\) is not in routeiq.plugin_policy.allow"):
        climb("uninvited", policy=Policy(()))
    assert "routeiq_uninvited" not in sys.modules


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("import sys; sys.exit(3)", "cannot be imported: SystemExit: 3"),
        ("import a_module_nobody_has", "there is no a_module_nobody_has. Mend: pip install what brings"),
        ("class It(", "cannot be imported: SyntaxError"),
        ("class Other: ...", "cannot be imported: AttributeError"),
        ("class It: ...", "is not a Plugin class"),
        ("def It(config): ...", "is not a Plugin class"),
        ("class It(Plugin):\n    api_version = 0", "speaks plugin API 0, this gateway 1. Mend: upgrade routeiq-broken"),
        ("class It(Plugin):\n    api_version = 9", "speaks plugin API 9, this gateway 1. Mend: upgrade routeiq."),
        (
            "class It(Plugin):\n    @hookimpl\n    async def admitt(self, ctx): ...",
            "no hook 'admitt'. Mend: did you mean",
        ),
        (
            "class It(Plugin):\n    @hookimpl\n    async def admit(self, c): ...",
            r"takes \(c\) but the hook admit gives",
        ),
        (
            "class It(Plugin):\n    @hookimpl\n    def admit(self, ctx): ...",
            "admit is synchronous but the hook admit is async",
        ),
        ("class It(Plugin):\n    @hookimpl\n    async def record(self, ctx, record): ...", "record is async but"),
        (
            "class It(Plugin):\n    def __init__(self, config): raise OSError('no')",
            "cannot be constructed: OSError: no",
        ),
        ("class It(Plugin):\n    def __init__(self): ...", "cannot be constructed: TypeError"),
    ],
)
def test_a_broken_plugin_is_one_clear_error(site, source: str, message: str) -> None:
    site.install("broken", source)
    with pytest.raises(PluginError, match=message) as caught:
        climb("broken")
    assert "plugin 'broken'" in str(caught.value)
    assert "routeiq-broken 1.0" in str(caught.value)
    assert "Mend: " in str(caught.value)


def test_a_stale_entry_point_asks_for_a_reinstall(site) -> None:
    site.install("moved", SOUND, value="routeiq_moved.elsewhere:It")
    with pytest.raises(PluginError, match=r"Mend: reinstall routeiq-moved\."):
        climb("moved")


def test_a_bad_configuration_names_file_line_path_and_mend(site) -> None:
    site.install("strict", SOUND)
    places = {("routeiq", "plugins", "strict", "wrods"): Place("my.yaml", 7)}
    positions = Positions(places, Place("my.yaml", 1))
    with pytest.raises(ConfigErrors) as caught:
        climb("strict", {"wrods": 3}, positions=positions)
    text = str(caught.value)
    assert "my.yaml:7: routeiq.plugins.strict.wrods is an unknown key" in text
    assert "did you mean 'words'?" in text


def test_all_problems_of_a_configuration_are_told_at_once(site) -> None:
    site.install("strict", SOUND)
    with pytest.raises(ConfigErrors) as caught:
        climb("strict", {"words": "many", "nope": 1})
    assert len(caught.value.problems) == 2


def test_an_error_in_a_configuration_does_not_repeat_a_secret(site) -> None:
    site.install("strict", SOUND)
    with pytest.raises(ConfigErrors) as caught:
        climb("strict", {"words": 0, "token": ["canary-7"], "canary-8": {"x": "canary-7"}})
    assert "canary-7" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_synchronous_hook_is_accepted_with_offload(site) -> None:
    site.install(
        "busy", "class It(Plugin):\n    needs = frozenset({Need.OFFLOAD})\n    @hookimpl\n    def admit(self, ctx): ..."
    )
    _, passed = climb("busy")
    assert passed[-1] == "constructs"
