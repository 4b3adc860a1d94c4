"""A secret is never shown, whichever way it is printed."""

from __future__ import annotations

import copy
import json
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from routeiq_sdk import PluginConfig, Secret

CANARY = "canary-4f1c0de"


class Config(PluginConfig):
    key: Secret
    others: tuple[Secret, ...] = ()


def shown_by(secret: Secret) -> list[str]:
    config = Config(key=secret, others=(secret,))
    return [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>60}",
        "%s %r" % (secret, secret),  # noqa: UP031
        repr([secret]),
        repr({"key": secret}),
        repr(config),
        str(config),
        config.model_dump_json(),
        json.dumps(config.model_dump(mode="json")),
        repr(config.model_dump()),
        json.dumps({"key": secret}, default=str),
        json.dumps(Config.model_json_schema()),
        repr(ValueError("bad", secret)),
    ]


@given(st.text(min_size=4))
def test_no_way_of_printing_shows_it(value: str) -> None:
    marked = CANARY + value
    assert not any(CANARY in shown for shown in shown_by(Secret(marked)))


def test_a_traceback_does_not_show_it() -> None:
    error = RuntimeError(Secret(CANARY))
    assert CANARY not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "values", [{"others": [CANARY]}, {"key": [CANARY]}, {"key": CANARY, CANARY[::-1]: 1}, [CANARY]]
)
def test_a_refused_configuration_does_not_repeat_it(values: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(values)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret(CANARY), protocol)


def test_it_cannot_be_pickled_inside_a_configuration() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Config(key=Secret(CANARY)))


def test_copying_does_not_print_it() -> None:
    with pytest.raises(TypeError) as caught:
        copy.deepcopy(Secret(CANARY))
    assert CANARY not in str(caught.value)


def test_it_is_revealed_on_purpose() -> None:
    assert Secret(CANARY).reveal() == CANARY
    assert TypeAdapter(Secret).validate_python(CANARY).reveal() == CANARY


def test_equality_is_that_of_the_values() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("é") == Secret("é")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("x")
