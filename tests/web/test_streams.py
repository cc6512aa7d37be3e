"""Streams of events by themselves: who is told what, how often the store is asked, and the end."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from isocortex.web import streams
from isocortex.web.streams import Look, Streams
from tests.handed_in import BENCHMARK, new_account, stored

from isocortex.errors import QuotaError, StoreError
from isocortex.store import Store


def look(*events: int, ended: bool = True, job: str = "{}") -> Look:
    return Look(tuple((number, "log", f'"{number}"') for number in events), ((1, job),), ended)


def heard(texts: list[str]) -> list[str]:
    """The ids and kinds that were told, without what opens the stream."""
    blocks = [text for text in texts if not text.startswith(":")]
    return [block.partition("\n")[0].removeprefix("id: ") for block in blocks]


async def read(opened: Streams, after: int = 0, account: int = 1) -> list[str]:
    return [text async for text in opened.messages(account, "key", after)]


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(10):
            return await work()

    return asyncio.run(bounded())


def test_each_is_told_what_is_behind_its_own_place() -> None:
    asked = []

    def looking(key: str, after: int) -> Look:
        asked.append((key, after))
        return look(1, 2, 3)

    opened = Streams(looking, every=0.0)

    async def both() -> list[list[str]]:
        return await asyncio.gather(read(opened), read(opened, after=2, account=2))

    first, second = run(both)
    assert heard(first) == ["1", "2", "3", "event: job", "event: end"]
    assert heard(second) == ["3", "event: job", "event: end"]
    assert asked == [("key", 0)]  # one look for both
    assert opened.open == 0


def test_a_job_is_told_whenever_it_changes_and_only_then() -> None:
    looks = [look(ended=False, job=job) for job in ("1", "1", "2", "2")] + [look(job="3")]
    opened = Streams(lambda *_: looks.pop(0), every=0.0)
    told = run(lambda: read(opened))
    assert [text for text in told if "event: job" in text] == [
        f"event: job\ndata: {job}\n\n" for job in "123"
    ]


def test_a_silent_stream_says_that_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SILENT_SECONDS", 0.01)
    opened = Streams(lambda *_: look(ended=False), every=60.0)

    async def until_silent_twice() -> list[str]:
        messages, told = opened.messages(1, "key", 0), [""]
        while told[-2:] != [": still here\n\n"] * 2:
            told.append(await anext(messages))
        await messages.aclose()
        return told

    assert "event: job\ndata: {}\n\n" in run(until_silent_twice)
    assert opened.open == 0


@pytest.mark.parametrize("error", [StoreError("locked"), KeyError("our own fault")])
def test_a_look_that_fails_ends_the_stream_without_an_end(error: Exception) -> None:
    def failing(*_: object) -> Look:
        raise error

    assert heard(run(lambda: read(Streams(failing)))) == []


def test_who_does_not_read_is_let_go() -> None:
    looks = [look(*range(first, first + 2000), ended=False) for first in (1, 2001, 4001)] + [look()]
    opened = Streams(lambda *_: looks.pop(0), every=0.0)

    async def slowly() -> list[str]:
        messages = opened.messages(1, "key", 0)
        told = [await anext(messages), await anext(messages)]
        while opened._watches:
            await asyncio.sleep(0)
        return told + [text async for text in messages]

    told = heard(run(slowly))
    assert told[0] == "1"
    assert "event: end" not in told


def test_streams_are_counted_for_each_account_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_STREAMS_EACH", 2)
    monkeypatch.setattr(streams, "MOST_STREAMS", 3)
    opened = Streams(lambda *_: look(ended=False), every=60.0)

    async def crowd() -> None:
        held = []
        for account in (1, 1, 2):
            held.append(opened.messages(account, "key", 0))
            await anext(held[-1])
        for account in (1, 2):
            with pytest.raises(QuotaError, match="streams of yours are open"):
                await anext(opened.messages(account, "key", 0))
        for messages in held:
            await messages.aclose()
        await anext(last := opened.messages(2, "key", 0))
        await last.aclose()

    run(crowd)
    assert opened.open == 0


def test_a_stream_ends_at_the_heartbeat_at_which_it_is_not_allowed_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "SILENT_SECONDS", 0.01)
    answers = [True, True, False]
    opened = Streams(lambda *_: look(ended=False), every=60.0)

    async def all_of_it() -> list[str]:
        messages = opened.messages(1, "key", 0, allowed=lambda: answers.pop(0))
        return [text async for text in messages]

    told = run(all_of_it)
    assert told.count(": still here\n\n") == 2
    assert answers == []
    assert opened.open == 0


def test_a_stream_that_is_never_silent_is_asked_for_as_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "SILENT_SECONDS", 0.05)
    opened = Streams(lambda _, after: look(after + 1, ended=False), every=0.0)

    async def all_of_it() -> list[str]:
        messages = opened.messages(1, "key", 0, allowed=lambda: False)
        return [text async for text in messages]

    assert len(heard(run(all_of_it))) > 1
    assert opened.open == 0


@pytest.mark.parametrize("credentials", ["token", "session"])
def test_a_stream_outlives_neither_its_token_nor_its_session(
    application: FastAPI, store: Store, monkeypatch: pytest.MonkeyPatch, credentials: str
) -> None:
    monkeypatch.setattr(streams, "SILENT_SECONDS", 0.05)
    account, secret = new_account(store)
    key = stored(store, "ada", BENCHMARK).key
    client = TestClient(application, raise_server_exceptions=False)
    if credentials == "token":
        client.headers["Authorization"] = f"Bearer {secret}"
    else:
        client.cookies.set("isocortex_session", store.accounts.sign_in(account))
    told: list[str] = []

    def listen() -> None:
        headers = {"Accept": "text/event-stream"}
        told.append(client.get(f"/api/v1/submissions/{key}/events", headers=headers).text)

    listener = threading.Thread(target=listen)
    listener.start()
    deadline = time.monotonic() + 30
    while not application.state.streams.open:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    if credentials == "token":
        (token,) = store.accounts.tokens(account.id)
        store.accounts.revoke(account.id, token.id)
    else:
        store.accounts.end_sessions(account.id)
    listener.join(30)
    assert not listener.is_alive()
    assert "event: end" not in told[0]
    assert application.state.streams.open == 0
