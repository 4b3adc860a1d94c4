"""The program of a stdio server and the signature without which it is never started.

No process is started here, and nothing but static configuration makes one of these.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import Field, field_validator

from routeiq_sdk import ConfigError, PluginConfig, Secret

_MOST_BYTES: Final = 4096
_SIGNATURE_BYTES: Final = 64
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_VARIABLE = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PAT|DSN|CREDENTIALS|(?:API|ACCESS|SECRET|PRIVATE|ENCRYPTION)_?KEY)$",
    re.IGNORECASE,
)
_FIELD: Final = 2**255 - 19
_SMALL_ORDER: Final = frozenset(
    {
        0, 1, _FIELD - 1, _FIELD, _FIELD + 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        _FIELD - 2707385501144840649318225287225658788936804267575313519463743609750303402022,
    }
)  # fmt: skip
"""y of the points of order 1 to 8: for such a "key" anybody can make signatures (RFC 8032, section 5.1.7)."""


class SignedProgram(PluginConfig):
    """What a stdio server is started with. It comes from the YAML alone, and a trusted key has signed it."""

    command: str = Field(min_length=1, description="The program, without a shell: a path, or a name on PATH.")
    args: tuple[str, ...] = Field((), description="Its arguments, each as it is.")
    env: dict[str, Secret] = Field(default_factory=dict, description="Its environment, besides PATH and HOME.")
    cwd: str | None = Field(None, description="The folder it is started in.")
    signature: str = Field("", description="Base64 Ed25519 signature; `routeiq mcp sign` prints it.")

    @field_validator("env")
    @classmethod
    def _names(cls, env: dict[str, Secret]) -> dict[str, Secret]:
        for name, value in env.items():
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name!r} is no name for a variable")
            if "\0" in value.reveal():
                raise ValueError(f"{name} holds a null character")
        return env

    @field_validator("command", "args", "cwd")
    @classmethod
    def _no_null(cls, value: Any) -> Any:
        if any("\0" in text for text in ([value] if isinstance(value, str) else value or ())):
            raise ValueError("a null character")
        return value

    def signed_bytes(self, name: str) -> bytes:
        """What is signed: canonical JSON (RFC 8785) of the server's name and all that decides what runs.

        Of variables that are named as secrets (`*_TOKEN`, `*_API_KEY`, ...) the name is signed and the value is not, so
        that they can be rotated.
        """
        env = {
            variable: None if _SECRET_VARIABLE.search(variable) else value.reveal()
            for variable, value in self.env.items()
        }
        value = {"name": name, "command": self.command, "args": list(self.args), "env": env, "cwd": self.cwd}
        # All names are ASCII and all values texts, lists or null: of these orjson's spelling is the canonical one.
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def verify(name: str, program: SignedProgram, keys_dir: Path) -> None:
    """Whether a key of `keys_dir` signed this program under this name. Raises `ConfigError`, which names the row."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    mend = f"sign it with `routeiq mcp sign CONFIG --key FILE` and write what it prints into mcp_servers.{name}"
    if not program.signature:
        raise ConfigError(f"mcp_servers.{name} starts a program and is not signed", mend=mend)
    try:
        signature = base64.b64decode(program.signature.strip(), validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if len(signature) != _SIGNATURE_BYTES:
        raise ConfigError(f"mcp_servers.{name}.signature is no Ed25519 signature in base64", mend=mend)
    signed = program.signed_bytes(name)
    known = False
    for public in trusted(keys_dir):
        known = True
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
        except InvalidSignature:
            continue
        return
    if not known:
        missing = f"put the public key (NAME.pub) of whoever signs into {keys_dir}"
        raise ConfigError(f"mcp_servers.{name} starts a program, and no key is trusted", mend=missing)
    raise ConfigError(f"mcp_servers.{name} is not what a trusted key has signed", mend=mend)


def trusted(keys_dir: Path) -> Iterator[bytes]:
    """The public keys of `*.pub`: 32 bytes in base64, in one line. Raises `ConfigError` for a broken one."""
    folder = keys_dir.resolve()
    for path in sorted(keys_dir.glob("*.pub")):
        mend = "copy the .pub file that was written beside the signing key"
        try:
            real = path.resolve(strict=True)
            with real.open("rb") as file:
                text = file.read(_MOST_BYTES).decode("ascii").strip()
            public = base64.b64decode(text, validate=True)
        except (OSError, ValueError, binascii.Error):
            raise ConfigError(f"{path} cannot be read as a public key", mend=mend) from None
        if not real.is_relative_to(folder):
            raise ConfigError(f"{path} is a link that leaves its folder", mend="put the key itself there")
        if len(public) != 32 or int.from_bytes(public, "little") & (2**255 - 1) in _SMALL_ORDER:
            raise ConfigError(f"{path} is not a public key: 32 bytes in base64, in one line", mend=mend)
        yield public


def sign(name: str, program: SignedProgram, pem: bytes) -> str:
    """The signature to write into the row. Raises `ValueError` for what is no Ed25519 key in PEM form."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("not a private key in PEM form without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key; `openssl genpkey -algorithm ed25519` makes one")
    return base64.b64encode(key.sign(program.signed_bytes(name))).decode()


def program_of(row: Mapping[str, Any]) -> SignedProgram:
    """The program of a row of `mcp_servers`, in LiteLLM's words. Raises pydantic's `ValidationError`."""
    env = row.get("env") or row.get("env_vars") or {}
    told = {
        "command": row.get("command"),
        "args": tuple(map(str, row.get("args") or ())),
        "env": {name: value for name, value in env.items() if value is not None} if isinstance(env, Mapping) else env,
        "cwd": row.get("cwd"),
        "signature": row.get("signature") or "",
    }
    return SignedProgram.model_validate(told)
