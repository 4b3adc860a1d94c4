"""`model_list`: one typed row a deployment, with its named credential and default parameters filled in.

Groups, wildcards and ids are the catalogue's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from routeiq.config.errors import Problems, nearest
from routeiq.config.position import KeyPath, dotted
from routeiq.config.settings import Count, Seconds
from routeiq.config.validation import Open, checked, without_nulls
from routeiq_sdk import Secret
from routeiq_sdk.guards.rails import names_in

Usd = Annotated[Decimal, Field(ge=0)]


def _as_headers(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: str(item) if isinstance(item, int | float) else item for name, item in value.items()}


def _address(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme.lower() not in ("http", "https") or not rest:
        raise ValueError("should start with http:// or https://")
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        raise ValueError("should hold no user name or password; use api_key or extra_headers")
    return value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]
Headers = Annotated[
    Mapping[str, Secret],
    BeforeValidator(_as_headers),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number"]}}),
]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_list),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
]


class LitellmParams(Open):
    """`litellm_params`. What is not typed here goes to the provider as written (`extras`; secrets stay `Secret`)."""

    model: str = Field(min_length=1, description="`provider/model`.")
    api_key: Secret | None = Field(None, description="The provider's key.")
    api_base: Address | None = Field(None, description="The provider's address; allowed exactly as written.")
    api_version: str | None = Field(None, description="The provider's API version.")
    organization: str | None = Field(None, description="The provider's organization id.")
    custom_llm_provider: str | None = Field(None, description="The provider, when `model` does not name it.")
    timeout: Seconds | None = Field(None, description="Seconds a plain call may take.")
    stream_timeout: Seconds | None = Field(None, description="Seconds a stream may take to its first chunk.")
    max_retries: Count | None = Field(None, description="Retries on this deployment.")
    num_retries: Count | None = Field(None, description="Retries on this deployment.")
    rpm: Count | None = Field(None, description="Requests a minute; a weight under simple-shuffle.")
    tpm: Count | None = Field(None, description="Tokens a minute; a weight under simple-shuffle.")
    weight: Annotated[float, Field(ge=0)] | None = Field(None, description="Share of the group's calls.")
    order: int | None = Field(None, description="Lower orders are tried first.")
    tags: Names = Field((), description="Tags of the deployment.")
    extra_headers: Headers = Field(default_factory=dict, description="Headers added to calls.")
    headers: Headers = Field(default_factory=dict, description="Headers added to calls.")
    extra_body: Mapping[str, Any] = Field(default_factory=dict, description="Body fields added to calls.")
    drop_params: bool | None = Field(None, description="Drop parameters that the provider refuses.")
    mock_response: str | Mapping[str, Any] | None = Field(None, description="The answer, without any call.")
    input_cost_per_token: Usd | None = Field(None, description="US dollars an input token.")
    output_cost_per_token: Usd | None = Field(None, description="US dollars an output token.")
    cache_read_input_token_cost: Usd | None = Field(None, description="US dollars a token read from a cache.")
    cache_creation_input_token_cost: Usd | None = Field(None, description="US dollars a token written to a cache.")
    cooldown_time: Annotated[float, Field(ge=0)] | None = Field(None, description="Seconds on the bench.")
    litellm_credential_name: str | None = Field(None, description="The row of `credential_list` to take from.")


class ModelInfo(Open):
    """`model_info`. What is not typed here is kept and echoed (`extras`)."""

    id: str | None = Field(None, min_length=1, description="A stable id of the deployment.")
    mode: str | None = Field(None, description="chat, completion, embedding, ...")
    base_model: str | None = Field(None, description="The model whose price and limits hold.")
    access_groups: Names = Field((), description="Groups by which keys and teams name this row.")
    supported_environments: Names = Field((), description="Environments in which the row is loaded.")
    team_id: str | None = Field(None, description="The only team that may use the row.")
    team_public_model_name: str | None = Field(None, description="The name under which that team asks.")
    tier: str | None = Field(None, description="free or paid.")
    blocked: bool = Field(False, description="Whether the row is out of service.")
    input_cost_per_token: Usd | None = Field(None, description="US dollars an input token.")
    output_cost_per_token: Usd | None = Field(None, description="US dollars an output token.")


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One deployment, and where it was written."""

    model_name: str
    litellm_params: LitellmParams
    model_info: ModelInfo
    path: str
    file: str
    line: int
    added: bool = False
    """Whether a plugin added it, so that its addresses are not the operator's."""

    @property
    def router_model(self) -> bool:
        """Whether the row is a router offered as a model (`auto_router/...`), not a provider's model."""
        return self.litellm_params.model.partition("/")[0] == "auto_router"

    @property
    def guardrails(self) -> tuple[str, ...]:
        """The guardrails that watch over the deployment, by name; one alone needs no list."""
        return tuple(names_in(self.litellm_params.extras.get("guardrails")))


class RowReader:
    """Reads the rows of `model_list`; what is wrong goes to `problems`."""

    def __init__(self, credentials: Any, defaults: Mapping[str, Any], problems: Problems) -> None:
        self._problems = problems
        self._defaults = defaults
        self._credentials = self._read_credentials(credentials)
        self._names: set[str] = set()

    @property
    def names(self) -> frozenset[str]:
        """Every `model_name` that was read, of rows with mistakes too."""
        return frozenset(self._names)

    def rows(self, section: Any) -> tuple[ModelRow, ...]:
        if section is None:
            return ()
        if not isinstance(section, list):
            self._problems.add(("model_list",), "model_list is a list of rows", "start each row with `- model_name:`")
            return ()
        rows = (self._row(row, ("model_list", number)) for number, row in enumerate(section))
        return tuple(row for row in rows if row)

    def _row(self, row: Any, path: KeyPath) -> ModelRow | None:
        if not isinstance(row, Mapping):
            self._problems.add(path, f"{dotted(path)} is a mapping", "write model_name and litellm_params")
            return None
        name = row.get("model_name")
        if not isinstance(name, str) or not name:
            what = "is missing" if name is None else "is a name, in quotes if it is a number"
            self._problems.add((*path, "model_name"), f"{dotted((*path, 'model_name'))} {what}", "add model_name")
        else:
            self._names.add(name)
        if row.get("litellm_params") is None:
            message = f"{dotted((*path, 'litellm_params'))} is missing"
            self._problems.add(path, message, "add litellm_params: {model: provider/model}")
            return None
        params_path: KeyPath = (*path, "litellm_params")
        params, wrong = checked(
            LitellmParams, self._filled(row["litellm_params"], params_path), params_path, self._problems.positions
        )
        info, wrong_info = checked(
            ModelInfo, without_nulls(row.get("model_info")), (*path, "model_info"), self._problems.positions
        )
        self._problems.found += [*wrong, *wrong_info]
        if params is None or info is None or not isinstance(name, str) or not name:
            return None
        place = self._problems.positions.at(path)
        return ModelRow(name, params, info, dotted(path), place.file, place.line)

    def _filled(self, params: Any, path: KeyPath) -> Any:
        if not isinstance(params, Mapping):
            return params
        own = without_nulls(params)
        name = own.get("litellm_credential_name")
        if not isinstance(name, str):
            return {**self._defaults, **own}
        if name not in self._credentials:
            hint = nearest(name, self._credentials)
            mend = f"did you mean {hint!r}?" if hint else "add it to credential_list"
            where: KeyPath = (*path, "litellm_credential_name")
            self._problems.add(where, f"{dotted(where)}: no credential has the name {name!r}", mend)
        return {**self._defaults, **self._credentials.get(name, {}), **own}

    def _read_credentials(self, section: Any) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        if section is not None and not isinstance(section, list):
            self._problems.add(("credential_list",), "credential_list is a list of rows", "start rows with `-`")
            return found
        for number, row in enumerate(section or ()):
            name = row.get("credential_name") if isinstance(row, Mapping) else None
            values = row.get("credential_values") if isinstance(row, Mapping) else None
            if not isinstance(name, str) or not isinstance(values, Mapping):
                path: KeyPath = ("credential_list", number)
                message = f"{dotted(path)} has no credential_name or no credential_values"
                self._problems.add(path, message, "write credential_name: NAME and credential_values: {api_key: ...}")
                continue
            found[name] = without_nulls(values)
        return found
