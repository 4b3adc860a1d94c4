"""Serving TLS directly: every engine, with the certificate files of the settings, HTTP/1.1 only."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from processes import get, server

from routeiq.server.probes import ENGINES


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A fresh self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize("engine", ENGINES)
async def test_tls_is_served_and_http2_is_not_negotiated(engine: str, files: tuple[Path, Path]) -> None:
    certfile, keyfile = files
    context = ssl.create_default_context(cafile=str(certfile))
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with server(engine=engine, certfile=str(certfile), keyfile=str(keyfile)) as running:
        await running.line("listening on https://127.0.0.1:")
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() in ("http/1.1", None)
        writer.write(get("/plain").encode())
        async with asyncio.timeout(5):
            assert (await reader.read(-1)).startswith(b"HTTP/1.1 200")
        writer.close()
