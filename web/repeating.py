"""Requests that are carried out once however often they come: the header `Idempotency-Key`."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from isocortex.store import Store

Work = Callable[[], tuple[int, BaseModel]]
"""What is to be done once; it gives back status and answer."""


@dataclass(frozen=True)
class Repeatable:
    """A request that may come again under the same `key`; without one it is a new one each time."""

    store: Store
    key: str | None
    address: str

    def answer(self, account_id: int, body: BaseModel | object, work: Work) -> Response:
        """The answer to the first request with this key and body, whenever it came.

        A failed one is not remembered. Raises MismatchError if the key was used for another body,
        409 while the first is still being carried out.
        """
        if self.key is None:
            return _response(*work())
        asked: Any = body.model_dump(mode="json") if isinstance(body, BaseModel) else body
        text = json.dumps([self.address, asked], sort_keys=True)  # ASCII, whatever it holds
        request_hash = hashlib.sha256(text.encode()).hexdigest()
        known = self.store.remembered.begin(account_id, self.key, request_hash)
        if known is not None:
            return _known(known.status, known.body)
        try:
            status, answer = work()
        except BaseException:
            self.store.remembered.forget(account_id, self.key)
            raise
        made = answer.model_dump(mode="json")
        self.store.remembered.finish(account_id, self.key, status, made)
        return JSONResponse(made, status)


def repeatable(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="Any text of your own: the same request with the same key, sent again "
            "within a day, is answered as it was the first time, and not carried out again.",
        ),
    ] = None,
) -> Repeatable:
    """The request as one that may come again."""
    address = f"{request.method} {request.url.path}?{request.url.query}"
    return Repeatable(request.app.state.store, idempotency_key, address)


Once = Annotated[Repeatable, Depends(repeatable)]


def _response(status: int, answer: BaseModel) -> Response:
    return JSONResponse(answer.model_dump(mode="json"), status)


def _known(status: int | None, body: object) -> Response:
    if status is None:
        raise HTTPException(
            409,
            "a request with this Idempotency-Key is being carried out; ask again in a moment",
            {"Retry-After": "2"},
        )
    return JSONResponse(body, status, {"Idempotency-Replayed": "true"})
