"""A web server of tests over TLS on loopback, where clients publish their metadata documents, well or badly."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .conftest import REDIRECT


class Documents:
    """`async with Documents(folder) as documents:` `certificate` is what the gateway has to trust."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self._key = _certificate(folder)
        self.calls: Counter[str] = Counter()
        self.changes: dict[str, Any] = {}
        self.freshness: str | None = None
        self.origin = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Documents:
        app = web.Application()
        app.router.add_get("/{name:.*}", self._serve)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self._key)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.origin = f"https://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def client_id(self, name: str = "client") -> str:
        """The URL of a document."""
        return f"{self.origin}/{name}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.calls[name] += 1
        if name == "redirect":
            raise web.HTTPFound(self.client_id("client"))
        if name == "missing":
            raise web.HTTPNotFound
        if name == "endless":
            answer = web.StreamResponse(headers={"content-type": "application/json"})
            await answer.prepare(request)
            try:
                for _ in range(100 * 1024):
                    await answer.write(b" " * 1024)
                    self.calls["blocks"] += 1
            except ConnectionError:
                pass  # the gateway has had enough
            return answer
        if name == "text":
            return web.Response(text="hello")
        document = {
            "client_id": str(request.url),
            "client_name": "Wandering editor",
            "redirect_uris": [REDIRECT],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
            **self.changes,
        }
        headers = {"cache-control": self.freshness} if self.freshness is not None else {}
        return web.json_response(
            {name: value for name, value in document.items() if value is not None}, headers=headers
        )


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    certificate, private = folder / "server.crt", folder / "server.key"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private
