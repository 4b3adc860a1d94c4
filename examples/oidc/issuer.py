"""A stand-in for an identity provider, to try the example with: everybody gets a token for whatever they say they are.

`python3 issuer.py` serves it on port 4010; another port may follow. Never use it for anything else.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 4010
URL = f"http://127.0.0.1:{PORT}"
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)


class Issuer(BaseHTTPRequestHandler):
    """Discovery, keys, and tokens: `/token?sub=ann&groups=research&roles=llm-admins`."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        documents = {
            "/.well-known/openid-configuration": {"issuer": URL, "jwks_uri": f"{URL}/keys"},
            "/keys": {"keys": [{**PUBLIC, "kid": "example", "use": "sig", "alg": "ES256"}]},
        }
        if address.path == "/token":
            self.answer("text/plain", self.token(parse_qs(address.query)))
        elif address.path in documents:
            self.answer("application/json", json.dumps(documents[address.path]))
        else:
            self.send_error(404)

    def token(self, asked: dict[str, list[str]]) -> str:
        """A token for an hour."""
        now = int(time.time())
        claims = {"iss": URL, "aud": "routeiq", "iat": now, "exp": now + 3600, "sub": asked["sub"][0]}
        claims |= {name: asked[name] for name in ("groups", "roles") if name in asked}
        return jwt.encode(claims, KEY, "ES256", headers={"kid": "example"})

    def answer(self, kind: str, text: str) -> None:
        """One answer."""
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", PORT), Issuer) as server:
        print(f"issuing at {URL}", flush=True)
        server.serve_forever()
