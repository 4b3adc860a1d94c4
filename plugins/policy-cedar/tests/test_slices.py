"""Leaving out policies that cannot match changes no decision."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_policy_cedar.book import Book
from routeiq_policy_cedar.question import model_thing, moment, question, subject_of
from routeiq_policy_cedar.schema import parsed, schema_text
from routeiq_policy_cedar.validation import Checker, Words
from routeiq_sdk import Principal

TEXT = schema_text(None, ())
SCHEMA = parsed(TEXT, None)
CHECKER = Checker(SCHEMA, Words.of(TEXT))
PRINCIPALS = (
    "principal",
    "principal is Key",
    "principal is User",
    'principal == Key::"k"',
    'principal == Key::"other"',
    'principal in Team::"blue"',
    'principal in Team::"red"',
    'principal in Organization::"acme"',
    'principal in Role::"intern"',
    'principal is Key in User::"ann"',
    'principal is Key in User::"bob"',
)
ACTIONS = (
    "action",
    'action == Action::"chat:create"',
    'action == Action::"embedding:create"',
    'action in Action::"inference"',
    'action in Action::"write"',
    'action in [Action::"write", Action::"chat:create"]',
)
ANN = Principal("k", user="ann", team="blue", organization="acme", attributes={"roles": ["intern"]})

statement = st.builds(
    lambda effect, principal, action: f"{effect}({principal}, {action}, resource);",
    st.sampled_from(("permit", "forbid")),
    st.sampled_from(PRINCIPALS),
    st.sampled_from(ACTIONS),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(statement, min_size=1, max_size=5), st.booleans())
def test_a_slice_decides_like_the_whole(statements: list[str], default_allow: bool) -> None:
    never = 'forbid(principal == Key::"nobody", action, resource);'
    asked = question(subject_of(ANN, None), "chat:create", model_thing("m", ()), {**moment(None, 0), "tags": []})
    few, _ = CHECKER.check("\n".join(statements), "few")
    many, _ = CHECKER.check("\n".join(statements + [never] * 70), "few")
    plain = Book(1, few, SCHEMA, default_allow=default_allow, seconds=0).evaluate(asked)
    sliced = Book(1, many, SCHEMA, default_allow=default_allow, seconds=0).evaluate(asked)
    assert (sliced.allowed, sliced.policies, sliced.errors) == (plain.allowed, plain.policies, plain.errors)
