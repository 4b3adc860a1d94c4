"""Rows of models that plugins add to a configuration: read as strictly as those of the YAML, which they may not shadow.

Where they are kept is the plugin's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from routeiq.config.accepted import sort_accepted
from routeiq.config.classify import classify
from routeiq.config.errors import Problems
from routeiq.config.model import Config
from routeiq.config.position import Place, Positions
from routeiq.config.revision import revision
from routeiq.config.rows import ModelRow, RowReader
from routeiq_sdk import ConfigError

_ADDRESSES = ("api_base", "base_url")


def with_rows(config: Config, rows: Sequence[Mapping[str, Any]], source: str) -> Config:
    """`config` with more rows of models, of revision its own and theirs. `source` says whose they are, for errors.

    Raises `ConfigErrors` for a row that cannot be used, and `ConfigError` for a name or an id that is taken.
    """
    if not rows:
        return config
    written: dict[str, Any] = {"model_list": [dict(row) for row in rows]}
    positions = Positions({}, Place(source, 1))
    problems = Problems(positions)
    _refuse_borrowed_keys(config, rows, source)
    reader = RowReader(config.written.get("credential_list"), config.router.default_litellm_params, problems)
    added = tuple(replace(row, added=True) for row in reader.rows(written["model_list"]))
    problems.raise_if_any()
    _refuse_clashes(config, added, source)
    protective, _ = sort_accepted(
        classify(written, positions).protective, config.routeiq.compat.accept_unenforced, positions
    )
    return replace(
        config,
        models=(*config.models, *(row for row in added if not row.model_info.blocked)),
        protective=(*config.protective, *protective),
        revision=revision({"base": config.revision, **written}, {}, config.master_key),
    )


def _refuse_borrowed_keys(config: Config, rows: Sequence[Mapping[str, Any]], source: str) -> None:
    """A credential of the YAML goes where the operator sends it, never to the address of an added row."""
    credentials = config.written.get("credential_list")
    for row in rows:
        params = row.get("litellm_params")
        if not isinstance(params, Mapping) or params.get("api_key") is not None:
            continue
        named, told = params.get("litellm_credential_name"), [name for name in _ADDRESSES if params.get(name)]
        ours = any(isinstance(each, Mapping) and each.get("credential_name") == named for each in credentials or ())
        if told and (ours or config.router.default_litellm_params.get("api_key") is not None):
            raise ConfigError(
                f"{source}: {row.get('model_name')!r} would send a key of the YAML to an {told[0]} of its own",
                mend="give the added row an api_key of its own, or leave the address out",
            )


def _refuse_clashes(config: Config, added: Sequence[ModelRow], source: str) -> None:
    names = {row.model_name for row in config.models} | set(config.routeiq.virtual_models)
    ids = {row.model_info.id for row in config.models if row.model_info.id is not None}
    for row in added:
        if row.model_info.id is None:
            raise ConfigError(f"{source}: {row.path} has no model_info.id", mend="give each added row an id")
        if row.model_name in names:
            raise ConfigError(
                f"{source}: the model {row.model_name!r} is written in the YAML already",
                mend="give the added row another model_name",
            )
        if row.model_info.id in ids:
            raise ConfigError(
                f"{source}: the id {row.model_info.id!r} is taken", mend="give the added row another model_info.id"
            )
        ids.add(row.model_info.id)
