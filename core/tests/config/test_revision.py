"""The revision names a content: equal for equal content, different for different content, telling nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from routeiq.config import load, loads

BASE = """
model_list:
  - model_name: a
    litellm_params: {model: m, api_key: one}
general_settings: {master_key: sk-Zq8vT3xW9pLm2RkY7nBd}
routeiq: {plugins: {p: {x: 1}, q: {}}}
"""


def revision(text: str, **env: str) -> str:
    return loads(text, "a.yaml", env).revision


def test_a_revision_is_short_and_fit_for_a_header() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", revision(BASE))


def test_order_comments_style_and_file_names_do_not_matter(tmp_path: Path) -> None:
    same = """
# another order
routeiq:
  plugins:
    p: {"x": 1}
    q:  {}
general_settings:
  master_key: "sk-Zq8vT3xW9pLm2RkY7nBd"
model_list: [{litellm_params: {api_key: one, model: m}, model_name: a}]
"""
    assert revision(same) == revision(BASE)
    split = tmp_path / "main.yaml"
    (tmp_path / "models.yaml").write_text("model_list: [{model_name: a, litellm_params: {model: m, api_key: one}}]\n")
    rest = BASE.partition("general_settings")[2]
    split.write_text(f"include: [models.yaml]\ngeneral_settings{rest}")
    assert load(split, {}).revision == revision(BASE)


def test_a_reference_counts_by_its_value() -> None:
    by_name = BASE.replace("api_key: one", "api_key: os.environ/KEY")
    assert revision(by_name, KEY="one") == revision(BASE)
    assert revision(by_name, KEY="two") != revision(BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("api_key: one", "api_key: two"),
        ("sk-Zq8vT3xW9pLm2RkY7nBd", "sk-Zq8vT3xW9pLm2RkY7nBe"),
        ("model_name: a", "model_name: b"),
        ("model: m", "model: n"),
        ("{x: 1}", "{x: 2}"),
        ("{x: 1}", "{x: true}"),
        ("plugins: {p: {x: 1}, q: {}}", "plugins: {q: {}, p: {x: 1}}"),
        ("model_list:", "environment_variables: {A: b}\nmodel_list:"),
    ],
)
def test_any_change_changes_the_revision_also_the_order_of_plugins(old: str, new: str) -> None:
    assert old in BASE
    assert revision(BASE.replace(old, new)) != revision(BASE)
