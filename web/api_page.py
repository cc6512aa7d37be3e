"""The page that documents the API: its OpenAPI document as a plain page, with nothing to load."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from .openapi import operations
from .rendering import render

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Parameter:
    """What an operation may be asked with."""

    name: str
    where: str
    kind: str
    text: str
    required: bool


@dataclass(frozen=True)
class Operation:
    """A method on a path."""

    id: str
    method: str
    path: str
    text: str
    parameters: tuple[Parameter, ...]
    body: str
    answers: tuple[str, ...]


@router.get("/api")
def api_page(request: Request) -> Response:
    """The documentation of the REST API."""
    found: dict[str, Any] = request.app.openapi()
    context = {
        "tags": [(tag["name"], tag["description"]) for tag in found["tags"]],
        "operations": _by_tag(found),
        "about": found["info"]["description"],
    }
    return render(request, "api.html", context)


def _by_tag(found: dict[str, Any]) -> dict[str, list[Operation]]:
    by_tag: dict[str, list[Operation]] = {tag["name"]: [] for tag in found["tags"]}
    for path, method, described in operations(found):
        tag = described.get("tags", ["service"])[0]
        by_tag.setdefault(tag, []).append(_operation(path, method, described))
    return by_tag


def _operation(path: str, method: str, described: dict[str, Any]) -> Operation:
    body = described.get("requestBody", {}).get("content", {})
    return Operation(
        id=described["operationId"],
        method=method.upper(),
        path=path,
        text=described.get("description", ""),
        parameters=tuple(_parameters(described)),
        body=", ".join(f"{kind} ({_kind(one.get('schema', {}))})" for kind, one in body.items()),
        answers=tuple(
            " ".join((status, ", ".join(answer.get("content", ()))))
            for status, answer in described["responses"].items()
            if status.startswith("2")
        ),
    )


def _parameters(described: Mapping[str, Any]) -> Iterator[Parameter]:
    for one in described.get("parameters", ()):
        schema = one.get("schema", {})
        yield Parameter(
            name=one["name"],
            where=one["in"],
            kind=_kind(schema),
            text=one.get("description", schema.get("description", "")),
            required=one.get("required", False),
        )


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(kinds)
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"several {_kind(schema.get('items', {}))}"
    text = str(schema.get("format") or schema.get("type", "anything"))
    return f"{text}, {schema['default']} by default" if schema.get("default") else text
