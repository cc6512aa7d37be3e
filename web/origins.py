"""Where a request comes from and whereto it goes: address, scheme and origin, behind proxies too.

| variable | meaning | default |
|---|---|---|
| `ISOCORTEX_PUBLIC_URL` | the site as its visitors write it | as the request says |
| `ISOCORTEX_TRUSTED_PROXIES` | whose `X-Forwarded-*` count: networks, by commas | none |
"""

import ipaddress
import os
from functools import lru_cache
from urllib.parse import urlsplit

from fastapi import Request

from isocortex.errors import InputError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PORTS = {"http": 80, "https": 443}


def client_address(request: Request) -> str:
    """The address of who asks: the last one that no trusted proxy bears."""
    peer = request.client.host if request.client else "unknown"
    if not _is_trusted(peer):
        return peer
    forwarded = request.headers.get("x-forwarded-for", "").split(",")
    for address in reversed([each.strip() for each in forwarded if each.strip()]):
        if not _is_address(address):
            break
        peer = address
        if not _is_trusted(address):
            break
    return peer


def is_from_here(request: Request) -> bool:
    """Whether who asks sits at this computer, and no proxy stands between."""
    host = request.client.host if request.client else ""
    proxied = any(name in request.headers for name in ("x-forwarded-for", "forwarded", "via"))
    return _is_address(host) and ipaddress.ip_address(host).is_loopback and not proxied


def neighbourhood(address: str) -> str:
    """What is counted as one visitor: an IPv4 address, or the 64 leading bits of an IPv6 one.

    >>> neighbourhood("192.0.2.7"), neighbourhood("2001:db8::1:2:3")
    ('192.0.2.7', '2001:db8::/64')
    """
    if _is_address(address) and (found := ipaddress.ip_address(address)).version == 6:
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return address


def is_secure(request: Request) -> bool:
    """Whether the visitor's browser speaks https, as far as we can know."""
    if public := public_url():
        return public.startswith("https://")
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-proto", "")
    return (forwarded if forwarded and _is_trusted(peer) else request.url.scheme) == "https"


def site_url(request: Request) -> str:
    """The address of the site without a slash at its end, as its visitors write it."""
    scheme = "https" if is_secure(request) else "http"
    return public_url() or f"{scheme}://{request.headers.get('host', 'localhost')}"


def public_url() -> str | None:
    """`ISOCORTEX_PUBLIC_URL` without a slash at its end. Raises InputError for another thing."""
    text = os.environ.get("ISOCORTEX_PUBLIC_URL", "").rstrip("/")
    if text and not (text.startswith(("https://", "http://")) and urlsplit(text).netloc):
        raise InputError(
            f"ISOCORTEX_PUBLIC_URL is {text!r}; write it as https://brains.example.org"
        )
    return text or None


def is_own_origin(request: Request) -> bool:
    """Whether a page of this site sent the request, as far as browsers tell.

    What says nothing, such as curl, passes: it has no cookies that others could abuse.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or _place(origin) == _place(site_url(request))


def _place(origin: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(origin)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(address: str) -> bool:
    networks = trusted_proxies(os.environ.get("ISOCORTEX_TRUSTED_PROXIES", ""))
    if not networks or not _is_address(address):
        return False
    found = ipaddress.ip_address(address)
    return any(found.version == one.version and found in one for one in networks)


@lru_cache(maxsize=4)
def trusted_proxies(text: str) -> tuple[Network, ...]:
    """The networks that a text names. Raises InputError for anything else."""
    try:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return tuple(ipaddress.ip_network(part, strict=False) for part in parts)
    except ValueError as error:
        raise InputError(
            f"ISOCORTEX_TRUSTED_PROXIES is {text!r}, and {error}; give addresses or networks, such "
            "as 127.0.0.1,10.0.0.0/8"
        ) from None
