"""The conversation with a provider, from the address people are sent to, to who they are.

OAuth 2.0 with PKCE, and for issuers OpenID Connect: the ID token's signature is checked against
the issuer's published keys, and its issuer, audience, expiry and nonce against what was asked.
"""

from collections.abc import Mapping
from typing import Any, Final

import httpx2
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ..errors import AccessError
from .providers import Flow, Identified, Provider

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "Ed25519")
"""Signatures by a public key; `none` and keys that both sides know are not among them."""

_SECONDS: Final = 10.0
_LEEWAY_SECONDS: Final = 60


def address_to_visit(provider: Provider, flow: Flow) -> str:
    """Where the browser goes to sign in. Raises AccessError if the provider does not answer."""
    if provider.issuer is None:
        endpoint, scope = f"{provider.url}/login/oauth/authorize", "read:user"
    else:
        with _client() as client:
            metadata = _metadata(client, provider.issuer)
        endpoint, scope = metadata["authorization_endpoint"], "openid profile"
        scope = "openid" if provider.name == "orcid" else scope
    address: str = prepare_grant_uri(
        endpoint,
        provider.client_id,
        "code",
        redirect_uri=flow.redirect_uri,
        scope=scope,
        state=flow.state,
        nonce=flow.nonce if provider.issuer else None,
        code_challenge=create_s256_code_challenge(flow.verifier),
        code_challenge_method="S256",
    )
    return address


def identify(provider: Provider, flow: Flow, answer: Mapping[str, str]) -> Identified:
    """Who came back with this `answer` (the query of the callback). Raises AccessError."""
    if "error" in answer or not answer.get("code"):
        raise AccessError(f"{provider.label} did not sign you in; try again")
    if provider.issuer and answer.get("iss", provider.issuer).rstrip("/") != provider.issuer:
        raise AccessError(f"the answer is not from {provider.label}; try again")
    with _client() as client:
        if provider.issuer is None:
            return _github_user(client, provider, flow, answer["code"])
        metadata = _metadata(client, provider.issuer)
        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        tokens = _tokens(
            client,
            provider,
            metadata["token_endpoint"],
            body=_token_request(flow, answer["code"]),
            basic="client_secret_basic" in methods,
        )
        keys = _asked(client, provider.label, "GET", metadata["jwks_uri"])
        return _verified(provider, flow, tokens, keys)


def _verified(
    provider: Provider, flow: Flow, tokens: Mapping[str, Any], keys: Mapping[str, Any]
) -> Identified:
    expected = {
        "iss": {"essential": True, "values": [provider.issuer, f"{provider.issuer}/"]},
        "aud": {"essential": True, "value": provider.client_id},
    }
    asked = {"nonce": flow.nonce, "client_id": provider.client_id}
    try:
        key_set = KeySet.import_key_set({"keys": list(keys["keys"])})
        token = jwt.decode(str(tokens["id_token"]), key_set, algorithms=ALGORITHMS)
        claims = CodeIDToken(
            token.claims,
            token.header,
            expected,
            asked | {"access_token": tokens.get("access_token")},
        )
        claims.validate(leeway=_LEEWAY_SECONDS)
    except (JoseError, KeyError, TypeError, ValueError) as error:
        raise AccessError(
            f"what {provider.label} says of you can't be trusted ({type(error).__name__}); begin "
            "again, and tell the operator if it stays so"
        ) from None
    return Identified(
        str(claims["sub"]), str(claims.get("preferred_username") or claims.get("name") or "")
    )


def _github_user(client: httpx2.Client, provider: Provider, flow: Flow, code: str) -> Identified:
    endpoint = f"{provider.url}/login/oauth/access_token"
    body = _token_request(flow, code)
    tokens = _tokens(client, provider, endpoint, body=body, basic=False)
    public = provider.url == "https://github.com"
    address = "https://api.github.com/user" if public else f"{provider.url}/api/v3/user"
    headers = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
    user = _asked(client, provider.label, "GET", address, headers=headers)
    if not isinstance(user.get("id"), int):
        raise AccessError(f"{provider.label} did not say who you are; try again")
    return Identified(str(user["id"]), str(user.get("login") or ""))


def _token_request(flow: Flow, code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": flow.redirect_uri,
        "code_verifier": flow.verifier,
    }


def _tokens(
    client: httpx2.Client, provider: Provider, endpoint: str, *, body: dict[str, str], basic: bool
) -> dict[str, Any]:
    secret = {"client_id": provider.client_id, "client_secret": provider.client_secret}
    how: dict[str, Any] = (
        {"data": body, "auth": (provider.client_id, provider.client_secret)}
        if basic
        else {"data": body | secret}
    )
    tokens = _asked(client, provider.label, "POST", endpoint, **how)
    if "error" in tokens:
        raise AccessError(f"{provider.label} refused this sign-in; begin it again")
    return tokens


def _metadata(client: httpx2.Client, issuer: str) -> dict[str, Any]:
    """What an issuer publishes of itself; it must be of that very issuer, and as safe as it is."""
    address = f"{issuer}/.well-known/openid-configuration"
    metadata = _asked(client, issuer, "GET", address)
    wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    scheme = "https://" if issuer.startswith("https://") else "http"
    safe = all(str(metadata.get(name, "")).startswith(scheme) for name in wanted)
    if str(metadata.get("issuer", "")).rstrip("/") != issuer or not safe:
        raise AccessError(f"{address} describes another issuer; tell the operator")
    return metadata


def _asked(
    client: httpx2.Client, label: str, method: str, address: str, **how: Any
) -> dict[str, Any]:
    """The JSON object at an address. Raises AccessError for anything else."""
    try:
        response = client.request(method, address, **how)
        found = response.json() if response.status_code in (200, 400) else None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        found = None
    if not isinstance(found, dict):
        raise AccessError(f"{label} does not answer as it should; try again in a minute")
    return found


def _client() -> httpx2.Client:
    return httpx2.Client(
        timeout=_SECONDS, follow_redirects=False, headers={"Accept": "application/json"}
    )
