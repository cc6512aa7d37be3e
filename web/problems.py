"""Errors as people and programs read them: one table from core errors to HTTP statuses.

Below `/api/` every error is `application/problem+json` (RFC 9457), elsewhere a page.
"""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from isocortex.errors import (
    IncompatibleError,
    InputError,
    IsocortexError,
    StoreError,
    UnknownNameError,
)

from .rendering import render

STATUS_OF: Final = {
    UnknownNameError: (404, "unknown-name"),
    InputError: (422, "invalid-input"),
    IncompatibleError: (422, "incompatible"),
    StoreError: (503, "store-unavailable"),
    IsocortexError: (500, "internal"),
}
_TYPE: Final = "urn:isocortex:problem:"


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
            problem.model_dump(),
            problem.status,
            headers=headers,
            media_type="application/problem+json",
        )
    return render(request, "problem.html", {"problem": problem}, status_code=problem.status)


def _problem(request: Request, error: Exception) -> tuple[Problem, dict[str, str] | None]:
    status, kind, detail, headers = 500, "internal", "isocortex is at fault; see its log", None
    if isinstance(error, IsocortexError):
        status, kind = next(found for base, found in STATUS_OF.items() if isinstance(error, base))
        detail = str(error)
    elif isinstance(error, RequestValidationError):
        status, kind, detail = 422, "invalid-request", "; ".join(map(_fault, error.errors()))
    elif isinstance(error, HTTPException):
        status, kind, headers = error.status_code, "http", dict(error.headers or {})
        detail = _EXPLAINED.get(status, str(error.detail))
    title = HTTPStatus(status).phrase
    kind = title.lower().replace(" ", "-") if kind == "http" else kind
    path = request.url.path
    made = Problem(type=_TYPE + kind, title=title, status=status, detail=detail, instance=path)
    return made, headers


_EXPLAINED: Final = {
    404: "there is nothing at this address; /api/v1/openapi.json lists all there is",
    405: "this can only be read: use GET",
}


def _fault(fault: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"][1:])
    return f"{where}: {fault['msg']}; got {fault.get('input')!r}"
