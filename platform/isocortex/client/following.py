"""Events as they happen: one stream that is taken up again wherever it broke."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import QuotaError, ServerError, StoreError
from .connecting import Call, Connection
from .submission_schemas import Event, Job

_SILENCE = 60.0
"""Seconds; the server says something every 15."""


@dataclass(frozen=True)
class Message:
    """One message of a stream of server-sent events."""

    kind: str
    id: int | None
    text: str


class Following(Connection):
    """The stream of a submission's events."""

    def follow(self, key: str, *, after: int = 0) -> Iterator[Event | Job]:
        """What happens to a submission, as it happens: events, and jobs whenever they change.

        It ends when all jobs have ended. A broken stream is taken up again behind the last event
        that came. Raises ServerError after several tries in a row that brought nothing.
        """
        failures = 0
        while failures < self.tries:
            try:
                for message in self._messages(key, after):
                    failures = 0
                    if message.kind == "end":
                        return
                    after = max(after, message.id or 0)
                    yield _thing(message)
                failures += 1  # it ended without saying so
            except (ServerError, StoreError, QuotaError):
                failures += 1
                if failures >= self.tries:
                    raise
            self._pause(failures, None)
        raise ServerError(f"{self.server} breaks off the events of {key} again and again")

    def _messages(self, key: str, after: int) -> Iterator[Message]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        call = Call(method="GET", path=f"/submissions/{key}/events", headers=headers)
        with self._stream(call, timeout=_SILENCE) as response:
            yield from parse_messages(response.iter_lines())


def parse_messages(lines: Iterator[str]) -> Iterator[Message]:
    """The messages of a stream (HTML standard, section 9.2.6); comments are left out."""
    kind, last = "message", None
    text: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if text:
                yield Message(kind, last, "\n".join(text))
            kind, last, text = "message", None, []
        elif field == "event":
            kind = value
        elif field == "id" and value.isdigit():
            last = int(value)
        elif field == "data":
            text.append(value)


def _thing(message: Message) -> Event | Job:
    schema = Job if message.kind == "job" else Event
    return schema.model_validate(json.loads(message.text))
