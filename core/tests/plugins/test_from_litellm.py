"""Plugin fields that are written in LiteLLM's sections: one place to say it, errors at that place."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from routeiq.config.position import Place, Positions
from routeiq.plugins.from_litellm import configured, litellm_fields
from routeiq_sdk import FromLitellm, PluginConfig

PATH = ("routeiq", "plugins", "it")
PLACES = Positions(
    {
        ("router_settings", "buffer"): Place("a.yaml", 7),
        ("routeiq", "plugins", "it", "own"): Place("a.yaml", 20),
        ("routeiq", "plugins", "it", "buffer"): Place("a.yaml", 21),
    },
    Place("a.yaml", 1),
)


class Window(PluginConfig):
    seconds: int = Field(60, ge=1, description="How long.")


class It(PluginConfig):
    buffer: Annotated[float, FromLitellm("router_settings.buffer")] = Field(0.5, ge=0, description="A share.")
    window: Annotated[Window, FromLitellm("router_settings.args.window")] = Field(Window(), description="A window.")
    own: int = Field(1, ge=1, description="Its own.")


def test_marked_fields_are_filled_from_their_sections() -> None:
    document = {"router_settings": {"buffer": 0.2, "args": {"window": {"seconds": 5}}, "other": 1}}
    config, problems = configured(It, {"own": 3}, PATH, document, PLACES)
    assert problems == []
    assert config == It(buffer=0.2, window=Window(seconds=5), own=3)


def test_what_is_not_written_keeps_its_default() -> None:
    assert configured(It, {}, PATH, {"router_settings": {"buffer": None}}, PLACES)[0] == It()
    assert configured(It, {}, PATH, {}, PLACES)[0] == It()


def test_a_bad_value_is_named_where_it_was_written() -> None:
    _, problems = configured(It, {}, PATH, {"router_settings": {"buffer": -1}}, PLACES)
    assert [(error.file, error.line) for error in problems] == [("a.yaml", 7)]
    assert "router_settings.buffer" in str(problems[0])
    assert "-1" not in problems[0].message


def test_a_bad_value_deep_inside_is_named_by_its_whole_path() -> None:
    _, problems = configured(It, {}, PATH, {"router_settings": {"args": {"window": {"seconds": 0}}}}, PLACES)
    assert "router_settings.args.window.seconds" in str(problems[0])


def test_errors_of_the_plugins_own_block_stay_there() -> None:
    _, problems = configured(It, {"own": 0}, PATH, {"router_settings": {"buffer": -1}}, PLACES)
    assert sorted((error.line or 0) for error in problems) == [7, 20]


def test_there_is_one_place_to_say_it() -> None:
    _, problems = configured(It, {"buffer": 0.1}, PATH, {}, PLACES)
    assert "routeiq.plugins.it.buffer is an unknown key" in str(problems[0])
    assert "write router_settings.buffer instead" in str(problems[0])
    assert problems[0].line == 21


def test_a_class_without_marks_is_checked_as_ever() -> None:
    assert litellm_fields(Window) == {}
    assert configured(Window, {"seconds": 2}, PATH, {}, PLACES)[0] == Window(seconds=2)
