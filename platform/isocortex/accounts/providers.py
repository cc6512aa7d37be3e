"""Signing in through others: GitHub, ORCID, or any issuer of OpenID Connect.

| variable | meaning | default |
|---|---|---|
| `ISOCORTEX_GITHUB_ID`, `ISOCORTEX_GITHUB_SECRET` | an OAuth app of GitHub | none |
| `ISOCORTEX_GITHUB_URL` | GitHub, or an Enterprise server | https://github.com |
| `ISOCORTEX_ORCID_ID`, `ISOCORTEX_ORCID_SECRET` | a client of ORCID's public API | none |
| `ISOCORTEX_OIDC_ISSUER`, `ISOCORTEX_OIDC_ID`, `ISOCORTEX_OIDC_SECRET` | any other issuer | none |
| `ISOCORTEX_OIDC_LABEL` | what its button says | Single sign-on |
| `ISOCORTEX_SIGN_UP` | who may make an account: `no`, `providers` (through these), `yes` | no |

Each sign-in has its own state, nonce and PKCE verifier, kept here for ten minutes, bound to one
browser and used once. What a provider says of a person counts only for the identity; e-mail
addresses, which anyone can claim at some providers, link nothing.
"""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from ..errors import AccessError, InputError
from . import secrets

SignUp = Literal["no", "providers", "yes"]

_FLOW_SECONDS: Final = 600.0
_MOST_FLOWS: Final = 2_000


@dataclass(frozen=True)
class Provider:
    """Whom to ask who somebody is. Without an issuer it speaks OAuth as GitHub does."""

    name: str
    label: str
    client_id: str
    client_secret: str
    issuer: str | None = None
    url: str = "https://github.com"

    @property
    def realm(self) -> str:
        """Within what a subject is unique: another issuer's are other people.

        >>> Provider("github", "GitHub", "id", "secret").realm
        'github'
        """
        if self.name == "orcid" or (self.name == "github" and self.url == "https://github.com"):
            return self.name
        return f"{self.name}-{secrets.kept(self.issuer or self.url)[:16]}"


@dataclass(frozen=True)
class Flow:
    """One sign-in on its way: what it must come back with, and to which browser."""

    provider: str
    redirect_uri: str
    browser: str
    state: str
    nonce: str
    verifier: str
    account_id: int | None = None
    following: str = "/"


@dataclass(frozen=True)
class Identified:
    """Who the provider says it is: `subject` never changes, `name` may."""

    subject: str
    name: str


def sign_up() -> SignUp:
    """Who may make an account of their own. Raises InputError for an unknown word."""
    word = os.environ.get("ISOCORTEX_SIGN_UP", "") or "no"
    if word not in ("no", "providers", "yes"):
        raise InputError(f"ISOCORTEX_SIGN_UP is {word!r}; give no, providers or yes")
    return cast(SignUp, word)


def configured(variables: Mapping[str, str] = os.environ) -> dict[str, Provider]:
    """The providers that are set up, by name. Raises InputError for one that is half set up."""
    found = {}
    for name, label in {"github": "GitHub", "orcid": "ORCID", "oidc": "Single sign-on"}.items():
        stem = f"ISOCORTEX_{name.upper()}"
        client_id = variables.get(f"{stem}_ID", "")
        secret = variables.get(f"{stem}_SECRET", "")
        issuer = {"github": "", "orcid": "https://orcid.org"}.get(name)
        issuer = variables.get(f"{stem}_ISSUER", "").rstrip("/") if issuer is None else issuer
        if not client_id:
            continue
        if not secret or (name == "oidc" and not issuer):
            raise InputError(
                f"{stem}_ID is set; set {stem}_SECRET and, for OIDC, {stem}_ISSUER too"
            )
        found[name] = Provider(
            name=name,
            label=variables.get(f"{stem}_LABEL") or label,
            client_id=client_id,
            client_secret=secret,
            issuer=issuer or None,
            url=variables.get(f"{stem}_URL", "").rstrip("/") or "https://github.com",
        )
    return found


def new_flow(
    provider: Provider,
    browser: str,
    *,
    redirect_uri: str,
    account_id: int | None = None,
    following: str = "/",
) -> Flow:
    """A new sign-in of the browser that knows the secret `browser`."""
    return Flow(
        provider=provider.name,
        redirect_uri=redirect_uri,
        browser=secrets.kept(browser),
        state=secrets.new_secret(),
        nonce=secrets.new_secret(),
        verifier=secrets.new_secret(),
        account_id=account_id,
        following=following,
    )


class Flows:
    """The sign-ins on their way, in memory: each can be taken once, within ten minutes."""

    def __init__(self) -> None:
        self._flows: dict[str, tuple[float, Flow]] = {}
        self._lock = threading.Lock()

    def add(self, flow: Flow) -> None:
        """Remember a sign-in; the oldest ones are forgotten when there are too many."""
        with self._lock:
            self._flows[flow.state] = (time.monotonic() + _FLOW_SECONDS, flow)
            while len(self._flows) > _MOST_FLOWS:
                self._flows.pop(next(iter(self._flows)))

    def take(self, state: str, *, provider: str, browser: str | None) -> Flow:
        """The sign-in of that state, which is forgotten.

        Raises AccessError if there is none, or if it belongs to another browser or provider.
        """
        with self._lock:
            ends, flow = self._flows.pop(state, (0.0, None))
        own = flow is not None and browser is not None
        if flow is None or not own or ends < time.monotonic() or flow.provider != provider:
            raise AccessError("this sign-in has expired or was used already; begin it again")
        if not secrets.same(flow.browser, secrets.kept(browser or "")):
            raise AccessError("this sign-in was begun in another browser; begin it in this one")
        return flow
