"""A policy that does not pass the schema is refused with its line and, where it can be guessed, the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from routeiq_policy_cedar.plugin import PolicyCedar
from routeiq_policy_cedar.schema import parsed, schema_text
from routeiq_policy_cedar.validation import Checker, Words
from routeiq_sdk import PluginError
from routeiq_sdk.testing import FakeGateway, running

OK = "permit(principal, action, resource);\n\n"


@pytest.fixture(scope="module")
def checker() -> Checker:
    text = schema_text(None, ())
    return Checker(parsed(text, None), Words.of(text))


@pytest.mark.parametrize(
    ("text", "message", "mend"),
    [
        ('forbid(principal in Teem::"x", action, resource);', "entity type", "'Team'"),
        ('forbid(principal, action == Action::"chat:creat", resource);', "action", "'chat:create'"),
        ('forbid(principal, action == Action::"report:publish-all-of-it", resource);', "action", "actions"),
        (
            'forbid(principal, action == Action::"chat:create", resource) when { context.hours > 22 };',
            "hours",
            "'hour'",
        ),
        (
            'forbid(principal, action == Action::"chat:create", resource) when { context.tokens > 2 };',
            "tokens",
            "has tokens",
        ),
        ("permit(principal, action, resource) when { 1 };", "unexpected type", None),
        ("permit(principal, action, resource) when { ;", "parsed", None),
        ("permit(principal, action, resource)", "parsed", "semicolon"),
        ("allow(everyone);", "parsed", "begins with"),
        (";", "", None),
        ("permit(principal == ?principal, action, resource);", "template", "name the principal"),
        ('@id("a b") permit(principal, action, resource);', "is no id", "letters"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(checker: Checker, text: str, message: str, mend: str | None) -> None:
    found, problems = checker.check(OK + text, "file.cedar")
    assert len(found) == 1
    assert problems
    assert problems[0].line == 3
    assert message in problems[0].message
    if mend is not None:
        assert mend in str(problems[0].mend)


def test_ids_come_from_annotations_or_places(checker: Checker) -> None:
    found, problems = checker.check(OK + '@id("named") forbid(principal, action, resource);', "file.cedar")
    assert problems == []
    assert [policy.id for policy in found] == ["file.cedar#1", "named"]
    assert [policy.forbids for policy in found] == [False, True]


def test_an_id_is_given_once(checker: Checker) -> None:
    _, problems = checker.check('@id("a") permit(principal, action, resource);\n' * 2, "file.cedar")
    assert [(problem.line, "is taken by line 1" in problem.message) for problem in problems] == [(2, True)]


def test_a_text_without_policies_is_an_error(checker: Checker) -> None:
    _, problems = checker.check("// later\n", "file.cedar")
    assert "no policy" in problems[0].message


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"policies": ["/nowhere/a.cedar"]}, "cannot be read"),
        ({"schema": "/nowhere/a.cedarschema"}, "cannot be read"),
    ],
)
async def test_a_file_that_cannot_be_read_stops_the_start(config: dict[str, object], words: str) -> None:
    plugin = PolicyCedar(PolicyCedar.Config.model_validate(config))
    with pytest.raises(PluginError, match=words):
        async with running(plugin, FakeGateway("policy-cedar")):
            pass


async def test_a_file_that_does_not_pass_stops_the_start_and_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_text(OK + 'forbid(principal in Teem::"x", action, resource);')
    plugin = PolicyCedar(PolicyCedar.Config.model_validate({"policies": [str(tmp_path / "a.cedar")]}))
    with pytest.raises(PluginError, match=r"a\.cedar: line 3: .*Teem.*Mend: did you mean 'Team'"):
        async with running(plugin, FakeGateway("policy-cedar")):
            pass


async def test_a_schema_that_makes_no_sense_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "s.cedarschema").write_text("entity ;")
    plugin = PolicyCedar(PolicyCedar.Config.model_validate({"schema": str(tmp_path / "s.cedarschema")}))
    with pytest.raises(PluginError, match="makes no sense"):
        async with running(plugin, FakeGateway("policy-cedar")):
            pass
