"""A provider of identities on loopback: OpenID Connect and OAuth as GitHub speaks it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey


class FakeProvider:
    """What the provider knows; tests change it to make it lie."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
        self.url = ""
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.subject = "0000-0001"
        self.asked: dict[str, dict[str, str]] = {}
        self.user: dict[str, Any] = {"id": 7, "login": "Ada"}

    def signed(self, claims: dict[str, Any]) -> str:
        """The ID token, signed by the provider's key."""
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)

    def unsigned(self, claims: dict[str, Any]) -> str:
        """The ID token without a signature."""
        header, payload, _ = self.signed(claims).split(".")
        bare = jwt.encode({"alg": "HS256"}, {}, OctKey.import_key("x" * 32)).split(".")[0]
        none = bare.replace(bare, "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0")
        assert header != none
        return f"{none}.{payload}."

    def signed_by_public_key(self, claims: dict[str, Any]) -> str:
        """The ID token with an HMAC whose secret is the provider's public key."""
        public = OctKey.import_key(self.key.as_pem(private=False))
        return jwt.encode({"alg": "HS256", "kid": "one"}, claims, public)

    def signed_by_another(self, claims: dict[str, Any]) -> str:
        """The ID token, signed by a key that the provider never published."""
        other = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, other)

    def visit(self, address: str) -> str:
        """What somebody who agrees at this address is sent back to."""
        parts = urlsplit(address)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert parts.path in ("/authorize", "/login/oauth/authorize")
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self.asked)}"
        self.asked[code] = asked
        back = urlsplit(asked["redirect_uri"])
        return f"{back.path}?{urlencode({'code': code, 'state': asked['state']})}"

    def answer(self, path: str, form: dict[str, str]) -> dict[str, Any] | None:
        """The JSON at a path."""
        if path == "/.well-known/openid-configuration":
            ends = {"authorization": "/authorize", "token": "/token"}
            known = {f"{name}_endpoint": self.url + end for name, end in ends.items()}
            return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"} | known | self.metadata
        if path == "/jwks":
            return {"keys": [self.key.as_dict(private=False)]}
        if path in ("/token", "/login/oauth/access_token"):
            return self._tokens(form)
        return self.user if path == "/api/v3/user" else None

    def _tokens(self, form: dict[str, str]) -> dict[str, Any]:
        asked = self.asked.pop(form["code"], None)
        challenge = create_s256_code_challenge(form.get("code_verifier", ""))
        if asked is None or challenge != asked["code_challenge"]:
            return {"error": "invalid_grant"}
        moment = int(time.time())
        claims = {
            "iss": self.url,
            "sub": self.subject,
            "aud": "our-id",
            "iat": moment,
            "exp": moment + 600,
            "nonce": asked.get("nonce"),
            "preferred_username": "Ada",
        }
        lied = {k: v for k, v in (claims | self.claims).items() if v is not None}
        return {"access_token": "their-token", "token_type": "Bearer", "id_token": self.sign(lied)}


@contextmanager
def running() -> Iterator[FakeProvider]:
    """A provider that answers on loopback."""
    provider = FakeProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self, form: dict[str, str]) -> None:
            found = provider.answer(urlsplit(self.path).path, form)
            text = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
