r"""How the application is served by uvicorn: quick where it can be, and patient for a while only.

uvicorn --factory isocortex.web.app:create_app --workers 2 --http isocortex.web.serving:Impatient
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    Protocol = H11Protocol
else:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
    except ImportError:  # pure Python does as well, at half the speed
        Protocol = H11Protocol

MOST_SECONDS: Final = 20.0
"""How long a client may take to say what it wants."""


class Impatient(Protocol):
    """A connection that is closed unless its first request is there in time."""

    seconds = MOST_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        asyncio.get_running_loop().call_later(self.seconds, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


OPTIONS: Final[dict[str, Any]] = {
    "http": Impatient,
    "log_level": "warning",
    "proxy_headers": False,  # which proxies are trusted is said by ISOCORTEX_TRUSTED_PROXIES alone
    "timeout_keep_alive": 15,
    "timeout_graceful_shutdown": 5,  # a stream of events would hold it for ever
}
"""What `uvicorn.run` is told beside the address."""
