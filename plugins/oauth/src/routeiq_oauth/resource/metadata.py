"""A protected resource's own description (RFC 9728), at the well-known address that its path is inserted into.

Who may call the resource is the gate's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from routeiq_oauth.address import Address
from routeiq_sdk import Gateway
from routeiq_sdk.values.delegation import ProtectedResource
from routeiq_sdk.values.http import Headers, HttpRequest, HttpResponse

WELL_KNOWN = "/.well-known/oauth-protected-resource"
ROOT_RESOURCE = "/mcp"
"""What is described when a client asks at the root."""
CACHED = {"cache-control": "public, max-age=60"}
_PATH = "/-._~!$&'()*+,;=:@"
_ODD = re.compile(r"[^!-~]|[\"\\]")


class Metadata:
    """Answers for the resources of all plugins. `servers` names the authorization servers that clients may ask."""

    def __init__(self, gateway: Gateway, address: Address, servers: Callable[[Headers], Sequence[str]]) -> None:
        self._gateway = gateway
        self._address = address
        self._servers = servers

    async def root(self, request: HttpRequest) -> HttpResponse:
        """`GET /.well-known/oauth-protected-resource`."""
        return self._answer(ROOT_RESOURCE, request)

    async def inserted(self, request: HttpRequest) -> HttpResponse:
        """`GET /.well-known/oauth-protected-resource/the/path`."""
        path = "/" + request.path_params["path"]
        prefix = urlsplit(self._address.base(request.headers)).path
        if prefix and path.startswith(prefix + "/"):
            path = path[len(prefix) :]
        return self._answer(path, request)

    def _answer(self, path: str, request: HttpRequest) -> HttpResponse:
        servers = self._servers(request.headers)
        resource = self._gateway.protected_resource(path) if servers and not _ODD.search(path) else None
        if resource is None:
            return HttpResponse.json({"detail": "Not Found"}, 404)
        url = self._address.base(request.headers) + path
        return HttpResponse.json(describe(resource, url, servers), headers=CACHED)


def describe(resource: ProtectedResource, url: str, servers: Sequence[str]) -> Mapping[str, Any]:
    """The document of a resource at `url`. A refresh token is the client's affair, so `offline_access` is no scope of
    it."""
    told: dict[str, Any] = {
        "resource": url,
        "authorization_servers": list(servers),
        "bearer_methods_supported": ["header"],
        "resource_name": resource.name,
    }
    scopes = [scope for scope in resource.scopes if scope != "offline_access"]
    if scopes:
        told["scopes_supported"] = scopes
    if resource.documentation is not None:
        told["resource_documentation"] = resource.documentation
    return told


def metadata_url(base: str, path: str) -> str:
    """Where the resource at `path` is described: the well-known part goes before the path, that of `base` included."""
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path}{quote(path, safe=_PATH)}"
