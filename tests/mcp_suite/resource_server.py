"""How an MCP server asks for bearers: the 401 with its challenge, the metadata it points to, the check of a token.

Whose tokens are asked for is said by the recording upstream; no tool lives here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
from starlette.responses import JSONResponse, Response

_WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass
class ResourceServer:
    """Wants tokens of `issuer` for `resource`, with all of `scopes`. What a test changes is tried at the next request:
    `announced` is the resource that the metadata claims to be, `refused` are tokens that are dead all the same."""

    resource: str
    issuer: str
    scopes: tuple[str, ...] = ()
    announced: str = ""
    challenge: bool = True
    metadata: bool = True
    refused: set[str] = field(default_factory=set)
    _keys: jwt.PyJWKSet | None = None
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)

    def document(self, path: str) -> Response | None:
        """The metadata, where `path` is its address: at the root, and with the resource's path behind."""
        if path not in (_WELL_KNOWN, _WELL_KNOWN + urlsplit(self.resource).path) or not self.metadata:
            return None
        said = {
            "resource": self.announced or self.resource,
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
            **({"scopes_supported": list(self.scopes)} if self.scopes else {}),
        }
        return JSONResponse(said)

    async def check(self, authorization: str | None) -> dict[str, Any] | Response:
        """The claims of the bearer, or the refusal."""
        if authorization is None:
            return self._refusal(401)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return self._refusal(401)
        try:
            claims = await self._claims(token)
        except jwt.PyJWTError as error:
            return self._refusal(401, error="invalid_token", error_description=type(error).__name__)
        if not set(self.scopes) <= set(str(claims.get("scope", "")).split()):
            return self._refusal(403, error="insufficient_scope", scope=" ".join(self.scopes))
        return claims

    async def _claims(self, token: str) -> dict[str, Any]:
        if token in self.refused:
            raise jwt.InvalidTokenError("revoked")
        async with self._fetching:
            if self._keys is None:
                async with httpx.AsyncClient() as client:
                    self._keys = jwt.PyJWKSet.from_dict((await client.get(f"{self.issuer}/jwks")).json())
        kid = jwt.get_unverified_header(token).get("kid", "")
        try:
            key = self._keys[kid]
        except KeyError as error:
            raise jwt.InvalidKeyError("unknown key") from error
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["ES256"],
            audience=self.resource,
            issuer=self.issuer,
            options={"require": ["exp", "aud", "iss", "sub"]},
        )
        return claims

    def _refusal(self, code: int, **parameters: str) -> Response:
        split = urlsplit(self.resource)
        known = f"{split.scheme}://{split.netloc}{_WELL_KNOWN}{split.path}"
        if self.metadata:
            parameters["resource_metadata"] = known
        if code == 401 and self.scopes:
            parameters["scope"] = " ".join(self.scopes)
        said = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
        headers = {"WWW-Authenticate": f"Bearer {said}".strip()} if self.challenge else {}
        return JSONResponse({"error": parameters.get("error", "unauthorized")}, status_code=code, headers=headers)
