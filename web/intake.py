"""All that takes submissions in and tells what becomes of them, joined to the application."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from fastapi import FastAPI

from isocortex.store import Store

from . import (
    jobs_api,
    stimuli_api,
    submission_pages,
    submissions_api,
    uploads_api,
    webhooks_api,
    work,
)
from .delivering import delivering
from .form_limits import FormsUnderWay
from .streams import Streams
from .submission_answers import look_at

_ROOMS = (stimuli_api, uploads_api, submissions_api, jobs_api, webhooks_api, submission_pages, work)


def take_submissions(app: FastAPI, store: Store) -> None:
    """Add the routes, and what they share, to the application."""
    app.state.checks = submissions_api.Checks()
    app.state.forms_under_way = FormsUnderWay()
    app.state.streams = Streams(partial(look_at, store))
    for room in _ROOMS:
        app.include_router(room.router)


@contextmanager
def intake_open(store: Store) -> Iterator[None]:
    """While this is open, webhooks are told what happens."""
    with delivering(store):
        yield
