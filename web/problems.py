"""Errors as people and programs read them: one table from core errors to HTTP statuses.

Below `/api/` every error is `application/problem+json` (RFC 9457), elsewhere a page.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from isocortex.errors import (
    AccessError,
    FetchError,
    IncompatibleError,
    InputError,
    IsocortexError,
    JailError,
    LeaseLostError,
    QuotaError,
    RejectedError,
    StoreError,
    UnknownNameError,
)
from isocortex.jobs.faults import without_places

from . import access
from .rendering import render

STATUS_OF: Final = {
    UnknownNameError: (404, "unknown-name"),
    InputError: (422, "invalid-input"),
    IncompatibleError: (422, "incompatible"),
    RejectedError: (422, "rejected"),
    QuotaError: (429, "quota"),
    AccessError: (403, "not-allowed"),  # 401 where nobody is signed in
    JailError: (503, "jail"),
    LeaseLostError: (409, "lease-lost"),
    StoreError: (503, "store-unavailable"),
    FetchError: (503, "fetch-failed"),
    IsocortexError: (500, "internal"),
}
_OURS: Final = (StoreError, FetchError, JailError)
"""Errors that may name places on this computer, which are nobody's business."""

_TYPE: Final = "urn:isocortex:problem:"
_MOST: Final = 20
_LONGEST: Final = 200


class Problem(BaseModel):
    """What went wrong, in the form of RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:isocortex:problem:unknown-name",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "no model is named 'mobilnet_v1/imagenet'; did you mean "
                    "mobilenet_v1/imagenet?",
                    "instance": "/api/v1/models/mobilnet_v1/imagenet",
                }
            ]
        }
    )

    type: str = Field(description="A stable name of the kind of problem.")
    title: str = Field(description="The HTTP status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What came, what was expected and what to do.")
    instance: str = Field(description="The path that was asked for.")
    faults: list[str] | None = Field(
        None, description="Of a rejected submission, everything that is wrong with it."
    )


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": description,
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for status, description in {
        "4XX": "The request names something unknown, or can't be understood.",
        "5XX": "The store can't be read at the moment, or isocortex is at fault.",
    }.items()
}
"""What each route of the API declares beside its own answer."""


def handle_errors(app: FastAPI) -> None:
    """Make problems of all errors that leave a route."""
    app.add_exception_handler(IsocortexError, of_error)
    app.add_exception_handler(RequestValidationError, of_error)
    app.add_exception_handler(HTTPException, of_error)
    app.add_exception_handler(Exception, of_error)


def of_error(request: Request, error: Exception) -> Response:
    """The answer to an error: a problem below `/api/`, a page elsewhere."""
    problem, headers = _problem(request, error)
    if request.url.path.startswith("/api/"):
        return JSONResponse(
            problem.model_dump(exclude_none=True),
            problem.status,
            headers=headers,
            media_type="application/problem+json",
        )
    if problem.status == 401 and request.method == "GET":
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?{urlencode({'next': asked})}", 303)
    page = render(request, "problem.html", {"problem": problem}, status_code=problem.status)
    page.headers.update(headers or {})
    return page


def _problem(request: Request, error: Exception) -> tuple[Problem, dict[str, str] | None]:
    status, kind, detail, headers = 500, "internal", "isocortex is at fault; see its log", None
    faults = None
    if isinstance(error, IsocortexError):
        status, kind = next(found for base, found in STATUS_OF.items() if isinstance(error, base))
        detail = without_places(str(error)) if isinstance(error, _OURS) else str(error)
        faults = list(error.faults) if isinstance(error, RejectedError) else None
        if kind == "not-allowed":
            status, kind, headers = _refusal(request)
    elif isinstance(error, RequestValidationError):
        status, kind, detail = 422, "invalid-request", _faults(error.errors())
    elif isinstance(error, HTTPException):
        status, kind, headers = error.status_code, "http", dict(error.headers or {})
        detail = _EXPLAINED.get(status, str(error.detail))
    title = HTTPStatus(status).phrase
    kind = _KINDS.get(status, title.lower().replace(" ", "-")) if kind == "http" else kind
    made = Problem(
        type=_TYPE + kind,
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        faults=faults,
    )
    return made, headers


def _refusal(request: Request) -> tuple[int, str, dict[str, str]]:
    """401 with what to send where nobody is signed in, 403 where somebody is."""
    caller = access.known_caller(request)
    fault = "" if not access.has_token(request) else ', error="invalid_token"'
    if caller.account is None:
        return 401, "not-signed-in", {"WWW-Authenticate": f'Bearer realm="isocortex"{fault}'}
    return 403, "not-allowed", {}


_KINDS: Final = {413: "content-too-large"}
"""Kinds of statuses whose words are not the same in every Python."""

_EXPLAINED: Final = {
    404: "there is nothing at this address; /api/v1/openapi.json lists all there is",
    405: "this address does not take that method; the header Allow names those it takes",
}


def _faults(faults: Sequence[dict[str, Any]]) -> str:
    """The first faults in words; what came is repeated as far as it is readable."""
    told = [f"{_where(fault)}: {fault['msg']}; got {_shown(fault)}" for fault in faults[:_MOST]]
    more = [f"and {len(faults) - _MOST} more faults"] if len(faults) > _MOST else []
    return "; ".join([*told, *more])


def _where(fault: dict[str, Any]) -> str:
    return _short(".".join(str(part) for part in fault["loc"][1:]))


def _shown(fault: dict[str, Any]) -> str:
    return _short(repr(fault.get("input")))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
