"""Webhooks are told what happened: signed, in order, at least once, and never inside our network.

Each delivery is a POST of `{"webhook": key, "events": […]}` with the headers `Isocortex-Delivery`,
`Isocortex-Timestamp` (seconds since 1970) and `Isocortex-Signature`: `sha256=` and the hexadecimal
HMAC-SHA256 of timestamp, a full stop and the body, under the webhook's secret. An answer of 2xx
within ten seconds ends it; all else is tried again later and later, twelve times in half a day.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx2

from isocortex import settings
from isocortex.errors import InputError, IsocortexError
from isocortex.store import Store
from isocortex.store.webhooks import Notice, StoredWebhook

log = logging.getLogger(__name__)

QUIET_KINDS: Final = frozenset({"log", "progress"})
"""Events that a webhook is not told of."""

_LOOK_SECONDS: Final = 2.0
_TIMEOUT: Final = 10.0
_LONGEST_PAUSE: Final = 6 * 3600.0

Post = Callable[[str, bytes, dict[str, str]], int]
"""Sends a body with headers to an address, and gives back the status."""


def reachable_address(url: str) -> tuple[str, str]:
    """The numeric address of a webhook's host, which is public, and the host's name.

    Raises InputError for a private, loopback or link-local address, another scheme than https, or
    a URL with a name and password, and if the host is not found.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:  # such as half an IPv6 address
        raise InputError(f"{url!r} is no address of a webhook ({error})") from None
    if parts.username or parts.password or not host:
        raise InputError(f"{url!r} is no address of a webhook; expected https://host/path")
    if parts.scheme != "https" and not (settings.private_webhooks() and parts.scheme == "http"):
        raise InputError(f"{url!r} is no address of a webhook; only https is spoken")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError, UnicodeError) as error:
        raise InputError(f"the host of {url!r} is not found ({error})") from None
    numbers = sorted({str(entry[4][0]) for entry in found})
    if not settings.private_webhooks():
        # One private address among public ones is how a name is made to lead inside.
        for number in numbers:
            if not is_public(number):
                raise InputError(f"{host} is at {number}, which is not a public address")
    return numbers[0], host


def is_public(number: str) -> bool:
    """Whether a numeric address is one of the internet's own.

    >>> is_public("93.184.216.34"), is_public("127.0.0.1"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    address = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None or address.teredo is not None:
            return inner is not None and is_public(str(inner))
        if address in _TRANSLATED:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and not address.is_multicast


_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What proves that a body came from here, then, to who knows the secret."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status that the address answers; it is looked up once, and reached at what was found.

    Raises TimeoutError after ten seconds in all, however slowly the answer drips.
    """
    number, host = reachable_address(url)
    parts = urlsplit(url)
    place = f"[{number}]" if ":" in number else number
    port = f":{parts.port}" if parts.port else ""
    numeric = urlunsplit((parts.scheme, place + port, parts.path or "/", parts.query, ""))
    shown = f"[{host}]{port}" if ":" in host else host + port
    asked = httpx2.Request(
        "POST",
        numeric,
        content=body,
        headers={**headers, "Host": shown},
        extensions={"sni_hostname": host},
    )
    return asyncio.run(asyncio.wait_for(_status(asked), _TIMEOUT))


async def _status(asked: httpx2.Request) -> int:
    async with httpx2.AsyncClient(timeout=None, trust_env=False, follow_redirects=False) as client:
        response = await client.send(asked, stream=True)
        await response.aclose()  # its body nobody reads
        return response.status_code


class Delivering:
    """Tells webhooks of events, in a thread of its own; `send` is what reaches the network."""

    def __init__(
        self, store: Store, *, send: Post = post, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = store
        self.send = send
        self.clock = clock
        self._settled = self._newest = 0
        self._not_before: dict[str, float] = {}
        self._stop = threading.Event()

    def run(self) -> None:
        """Deliver until `stop` is called."""
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                self.deliver()
            except IsocortexError as error:
                log.warning("webhooks wait: %s", error)
            except Exception:  # one bad address must not silence all others for ever
                log.exception("a webhook could not be told")

    def stop(self) -> None:
        """End `run` soon."""
        self._stop.set()

    def deliver(self) -> int:
        """How many webhooks were told of something.

        Only events that were there at the look before count: on PostgreSQL a lower id may be
        committed a moment after a higher one.
        """
        self._settled, self._newest = self._newest, self.store.webhooks.newest_event()
        if not self._settled:
            return 0
        told = 0
        for webhook in self.store.webhooks.active():
            is_due = self.clock() >= self._not_before.get(webhook.key, 0.0)
            if webhook.last_event_id < self._settled and is_due and not self._stop.is_set():
                told += self._tell(webhook)
        return told

    def _tell(self, webhook: StoredWebhook) -> bool:
        news = self.store.webhooks.news(webhook, until=self._settled)
        if not news:
            return False
        worthy = [one for one in news if one.kind not in QUIET_KINDS]
        reason = self._send(webhook, worthy) if worthy else None
        if reason is None:
            self._not_before.pop(webhook.key, None)
            self.store.webhooks.delivered(webhook.key, news[-1].id)
            return bool(worthy)
        pause = min(10.0 * 2**webhook.failures, _LONGEST_PAUSE)
        self._not_before[webhook.key] = self.clock() + pause
        self.store.webhooks.failed(webhook)
        log.info("webhook %s: %s; again in %.0f s", webhook.key, reason, pause)
        return False

    def _send(self, webhook: StoredWebhook, news: Sequence[Notice]) -> str | None:
        """Why it could not be told; None if it was."""
        body, headers = delivery(webhook, news)
        try:
            status = self.send(webhook.url, body, headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, InputError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return None if 200 <= status < 300 else f"it answered {status}"


def delivery(webhook: StoredWebhook, news: Sequence[Notice]) -> tuple[bytes, dict[str, str]]:
    """The body and the headers that tell of these events."""
    events = [asdict(one) | {"at": one.at.isoformat()} for one in news]
    body = json.dumps({"webhook": webhook.key, "events": events}, ensure_ascii=False).encode()
    timestamp = str(int(time.time()))
    return body, {
        "Content-Type": "application/json",
        "User-Agent": "isocortex",
        "Isocortex-Delivery": f"{webhook.key}-{news[-1].id}",
        "Isocortex-Timestamp": timestamp,
        "Isocortex-Signature": signature(webhook.secret, timestamp, body),
    }


@contextmanager
def delivering(store: Store) -> Iterator[None]:
    """Webhooks are told while this is open."""
    deliverer = Delivering(store)
    thread = threading.Thread(target=deliverer.run, name="webhooks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        deliverer.stop()
        thread.join(_TIMEOUT)
