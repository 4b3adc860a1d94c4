"""The canonical form of a card, against examples of the specification and of RFC 8785."""

from __future__ import annotations

import json

import pytest
from a2a.types import AgentCapabilities, AgentCard, AgentExtension
from google.protobuf.json_format import ParseDict

from routeiq_a2a.cards.canonical import canonical, complete


def test_required_fields_stay_and_other_empty_ones_go() -> None:
    card = AgentCard(name="Example Agent", capabilities=AgentCapabilities(streaming=False, push_notifications=False))
    assert json.loads(canonical(card)) == {
        "name": "Example Agent",
        "description": "",
        "version": "",
        "supportedInterfaces": [],
        "capabilities": {"streaming": False, "pushNotifications": False},
        "defaultInputModes": [],
        "defaultOutputModes": [],
        "skills": [],
    }
    assert complete(card) == json.loads(canonical(card))
    said = AgentCard(name="x", icon_url="")
    assert json.loads(canonical(said))["iconUrl"] == ""  # optional, and said


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (0.5, "0.5"),
        (-4.5, "-4.5"),
        (0.002, "0.002"),
        (0.000001, "0.000001"),
        (-0.0000015, "-0.0000015"),
        (0.0000001, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (9007199254740993.0, "9007199254740992"),
        (333333333.33333329, "333333333.3333333"),
    ],
)
def test_numbers_are_written_as_ecmascript_writes_them(number: float, written: str) -> None:
    extension = AgentExtension(uri="e:1")
    ParseDict({"params": {"n": number}}, extension)
    card = AgentCard(capabilities=AgentCapabilities(extensions=[extension]))
    assert f'"params":{{"n":{written}}}' in canonical(card).decode()


def test_names_are_sorted_and_texts_escaped_as_rfc_8785_says() -> None:
    extension = AgentExtension(uri="e:1")
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ParseDict({"params": dict.fromkeys(names, 'é\x0f"\\\n/\u2028')}, extension)
    raw = canonical(AgentCard(capabilities=AgentCapabilities(extensions=[extension]))).decode()
    told = json.loads(raw)["capabilities"]["extensions"][0]["params"]
    assert list(told) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert 'é\\u000f\\"\\\\\\n/\u2028' in raw
