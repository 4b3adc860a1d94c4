"""Text is taken apart where Cedar would, and each statement knows its line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routeiq_policy_cedar.statements import statements

TEXT = """// all of it; is a comment
@id("a;b")
permit(principal, action, resource)
when { context.tags.contains("x\\";") };

forbid(principal, action, resource); permit(principal, action, resource);
  // the last one is not ended
forbid(principal"""


def test_statements_know_their_lines() -> None:
    assert [statement.line for statement in statements(TEXT)] == [2, 6, 6, 8]


def test_semicolons_in_strings_and_comments_end_nothing() -> None:
    first = next(iter(statements(TEXT)))
    assert first.text.startswith('@id("a;b")')
    assert first.text.endswith(';") };')


def test_nothing_is_no_statement() -> None:
    assert list(statements("  \n// only words\n")) == []


@given(st.text(alphabet='ab;"\\/\n ', max_size=40))
def test_any_text_is_taken_apart_without_loss(text: str) -> None:
    found = list(statements(text))
    assert all(statement.text in text for statement in found)
    assert [statement.line for statement in found] == sorted(statement.line for statement in found)
