"""What routes are given: the store, and whose candidates the answer may hold."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from isocortex.store import Store

from .access import Visitor


async def opened_store(request: Request) -> Store:
    """The store of this application; async, since a thread for it would cost more than it."""
    store: Store = request.app.state.store
    return store


async def viewer_id(visitor: Visitor) -> int | None:
    """The account whose own candidates are shown beside public ones, None for strangers."""
    return None if visitor is None else visitor.id


Viewer = Annotated[int | None, Depends(viewer_id)]


async def warm_store(request: Request, viewer: Viewer) -> Store:
    """The store with all scores in memory, read by a thread if they are not.

    A route that only selects from them may then be async: handing it to a thread would cost as
    much as the selection.
    """
    store: Store = request.app.state.store
    if not store.browsing.is_warm:
        await run_in_threadpool(store.models, viewer=viewer)
    return store


Opened = Annotated[Store, Depends(opened_store)]
Warm = Annotated[Store, Depends(warm_store)]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]


def json_answer(content: Any, headers: dict[str, str] | None = None) -> Response:
    """Plain values, times and dataclasses as JSON, as the route's schema describes them."""
    return Response(to_json(content), headers=headers, media_type="application/json")
