"""Live streams of events: one look at the store a second for all who listen to one submission."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.concurrency import run_in_threadpool

from isocortex.errors import QuotaError

log = logging.getLogger(__name__)

MOST_STREAMS: Final = 200
"""How many streams one process holds open."""

MOST_STREAMS_EACH: Final = 10
"""How many streams one account holds open."""

LOOK_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 15.0
"""How often a stream says that it is there, and asks whether it still may be."""

_HEARTBEAT: Final = ": still here\n\n"
_MOST_WAIT: Final = 5_000  # more than one look can bring


@dataclass(frozen=True)
class Look:
    """What one look at a submission saw: events by id, what each job is, and whether all ended.

    All are JSON texts as they are sent. `ended` says that no event will follow.
    """

    events: tuple[tuple[int, str, str], ...]
    jobs: tuple[tuple[int, str], ...]
    ended: bool


Looking = Callable[[str, int], Look]
"""A look at the submission of this key, with the events behind this id; it may block."""


@dataclass(eq=False)
class Listener:
    """Somebody who is told what is new behind the event `after`, and what jobs became."""

    after: int
    messages: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(_MOST_WAIT))
    jobs: dict[int, str] = field(default_factory=dict)


class Streams:
    """The open streams of one application; `look` asks the store."""

    def __init__(self, look: Looking, *, every: float = LOOK_SECONDS) -> None:
        self.look = look
        self.every = every
        self._listeners: dict[str, set[Listener]] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._accounts: dict[int, int] = {}

    @property
    def open(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._listeners.values()))

    async def messages(
        self, account_id: int, key: str, after: int, *, allowed: Callable[[], bool] | None = None
    ) -> AsyncGenerator[str, None]:
        """The stream's text, until all jobs have ended or, at a heartbeat, it is not `allowed`.

        The first step raises QuotaError if too many streams are open; `allowed` may block.
        """
        self._admit(account_id)
        listener = Listener(after)
        self._listeners.setdefault(key, set()).add(listener)
        if key not in self._watches:
            self._watches[key] = asyncio.create_task(self._watch(key))
        try:
            yield ": isocortex\nretry: 2000\n\n"
            async for text in _until_the_end(listener):
                if text == _HEARTBEAT and allowed and not await run_in_threadpool(allowed):
                    return  # who may ask again is told so then
                yield text
        finally:
            self._leave(account_id, key, listener)

    def _admit(self, account_id: int) -> None:
        own, opened = self._accounts.get(account_id, 0), sum(self._accounts.values())
        if own >= MOST_STREAMS_EACH or opened >= MOST_STREAMS:
            raise QuotaError(
                f"{own} streams of yours are open (of {MOST_STREAMS_EACH} that may be), and "
                f"{opened} in all (of {MOST_STREAMS}); close one, or ask for the events as JSON"
            )
        self._accounts[account_id] = own + 1

    def _leave(self, account_id: int, key: str, listener: Listener) -> None:
        self._listeners[key].discard(listener)
        self._accounts[account_id] -= 1
        if not self._accounts[account_id]:
            del self._accounts[account_id]
        if not self._listeners[key]:
            del self._listeners[key]
            if watch := self._watches.pop(key, None):
                watch.cancel()

    async def _watch(self, key: str) -> None:
        """Look again and again, for as long as somebody listens."""
        while listeners := self._listeners.get(key):
            first = min(listener.after for listener in listeners)
            try:
                look = await run_in_threadpool(self.look, key, first)
            except Exception as error:  # whatever it is, nobody shall wait for ever
                log.warning("the events of %s can't be told now: %s", key, error)
                self._end(key)
                return
            for listener in list(self._listeners.get(key, ())):
                _tell(listener, look)
            if look.ended:
                self._end(key, "event: end\ndata: {}\n\n")
                return
            await asyncio.sleep(self.every)

    def _end(self, key: str, last: str | None = None) -> None:
        self._watches.pop(key, None)
        for listener in self._listeners.get(key, ()):
            for text in (last, None) if last else (None,):
                _put(listener, text)


async def _until_the_end(listener: Listener) -> AsyncGenerator[str, None]:
    """What the listener is told, and a heartbeat every few seconds, however much that is."""
    beats_at = time.monotonic() + SILENT_SECONDS
    while True:
        try:
            left = beats_at - time.monotonic()
            text = await asyncio.wait_for(listener.messages.get(), left)
        except TimeoutError:
            beats_at = time.monotonic() + SILENT_SECONDS
            text = _HEARTBEAT
        if text is None:
            return
        yield text


def message(kind: str, text: str, *, id: int | None = None) -> str:  # noqa: A002 - its name there
    """One message of a stream; `text` is JSON in one line."""
    line = "" if id is None else f"id: {id}\n"
    return f"{line}event: {kind}\ndata: {text}\n\n"


def _tell(listener: Listener, look: Look) -> None:
    """What this listener has not heard: an event by its id, a job whenever it has changed."""
    for number, kind, text in look.events:
        if number > listener.after:
            listener.after = number
            _put(listener, message(kind, text, id=number))
    for number, text in look.jobs:
        if listener.jobs.get(number) != text:
            listener.jobs[number] = text
            _put(listener, message("job", text))


def _put(listener: Listener, text: str | None) -> None:
    try:
        listener.messages.put_nowait(text)
    except asyncio.QueueFull:  # it does not read; it will come again and be told the rest
        while not listener.messages.empty():
            listener.messages.get_nowait()
        listener.messages.put_nowait(None)


def as_json(facts: object) -> str:
    """JSON in one line."""
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
