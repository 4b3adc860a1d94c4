"""What the YAML may say under `routeiq.plugins.skills`.

What it means is the other modules' business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from routeiq_sdk import PluginConfig, Secret

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _OnDisk(PluginConfig):
    path: Path = Field(description="The folder; a relative one is looked for beside the gateway's configuration.")

    @field_validator("path")
    @classmethod
    def _beside_the_file(cls, path: Path, info: ValidationInfo) -> Path:
        folder = (info.context or {}).get("folder")
        return folder / path if isinstance(folder, Path) else path


class FolderSettings(_OnDisk):
    """A folder whose folders are skills."""

    kind: Literal["folder"] = Field(description="Skills as they are on the disk now.")


class GitSettings(_OnDisk):
    """A git checkout: what is committed there counts, not the working tree."""

    kind: Literal["git"] = Field(description="Skills as they are committed in the checkout at `path`.")
    ref: Text = Field("HEAD", description="A branch, a tag or a full commit id.")
    within: str = Field("", description="The folder in the repository whose folders are skills; its root when empty.")


SourceSettings = Annotated[FolderSettings | GitSettings, Field(discriminator="kind")]


class UploadSettings(PluginConfig):
    """Bounds of skills that callers upload; each team, or user without one, has its own."""

    max_mib: float = Field(64, gt=0, le=65536, description="Bytes that one team or user may keep, in MiB.")
    max_skills: int = Field(100, ge=1, le=10_000, description="Skills that one team or user may keep.")
    max_versions: int = Field(50, ge=1, le=1_000, description="Versions that one skill may have.")


class PassthroughSettings(PluginConfig):
    """The account at Anthropic in which uploaded skills are kept."""

    api_key: Secret = Field(description="The key of the account.")
    api_base: Text = Field("https://api.anthropic.com", description="Where Anthropic's API is.")
    timeout_seconds: float = Field(60, gt=0, le=600, description="How long one call may take.")

    @field_validator("api_base")
    @classmethod
    def _origin(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
            raise ValueError("write an https:// address without user, query or fragment")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("plain http shows the key to anybody on the way; use https")
        return url.rstrip("/")


class SkillsConfig(PluginConfig):
    """Settings of the skills plugin."""

    sources: tuple[SourceSettings, ...] = Field(
        (), description="Where skills come from. Of two skills with one name, the one of the earlier source is served."
    )
    public: bool = Field(
        False, description="Whether anybody may read the skills of `sources` over HTTP; otherwise it takes a key."
    )
    refresh_seconds: float = Field(
        5, ge=0.1, le=5, description="How often the sources are looked at; the longest that a change goes unseen."
    )
    max_mib: float = Field(
        256, gt=0, le=16384, description="Most of all skills of `sources` together; they are in memory."
    )
    server: ServerName = Field("skills", description="The name of the MCP server that serves the skills.")
    uploads: UploadSettings | None = Field(None, description="Keep skills that callers upload to `/v1/skills` here.")
    passthrough: PassthroughSettings | None = Field(
        None, description="Pass `/v1/skills` on to an account at Anthropic, with each caller seeing its own skills."
    )

    @model_validator(mode="after")
    def _one_home(self) -> SkillsConfig:
        if self.uploads is not None and self.passthrough is not None:
            raise ValueError("uploads and passthrough are two homes for /v1/skills; write one of them")
        names = [source.path for source in self.sources if source.kind == "folder"]
        if len(set(names)) != len(names):
            raise ValueError("sources name one folder twice")
        return self
