"""The API's OpenAPI document: `python -m isocortex.web.openapi > docs/openapi.json`."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .prerendering import is_of_data
from .problems import Problem

_SECURITY: Final = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of your account, made on its page or by `isocortex tokens make`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "isocortex_session",
        "description": "A signed-in browser; what changes something needs `X-CSRF-Token` as well.",
    },
}
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_UNCHANGED: Final = {"description": "What the client has (`If-None-Match`) is what there is."}
_HEADERS: Final = {
    "ETag": {"description": "Changes with the data.", "schema": {"type": "string"}},
}
_LINK: Final = {
    "Link": {
        "description": 'The address of the following page, with rel="next".',
        "schema": {"type": "string"},
    }
}


def use_document(app: FastAPI) -> None:
    """Have the application serve `document` in place of FastAPI's own."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of all routes, with what FastAPI can't know of them."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        license_info={"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
    )
    schemes = found.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes |= {name: scheme for name, scheme in _SECURITY.items() if name not in schemes}
    # Whoever sends nothing sees what is public; routes that need more say so themselves.
    found["security"] = [{}, *({name: []} for name in schemes)]
    found["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    for path, method, operation in operations(found):
        responses = operation["responses"]
        for status in ("4XX", "5XX"):  # said once, or the document would be thrice as long
            if content := responses.get(status, {}).get("content"):
                content["application/problem+json"] = {"schema": _PROBLEM}
        if method == "get" and is_of_data(path.replace("{", "").replace("}", "")):
            responses["304"] = _UNCHANGED
            responses["200"].setdefault("headers", {}).update(_HEADERS)
        asked = {one["name"] for one in operation.get("parameters", ())}
        if "cursor" in asked:
            responses["200"].setdefault("headers", {}).update(_LINK)
        if "fields" in asked:
            _allow_sparse(responses["200"])
    return found


def as_text(found: dict[str, Any]) -> str:
    """A document as it is committed: in one order, a line for each fact."""
    return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of each operation of a document."""
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _allow_sparse(answer: dict[str, Any]) -> None:
    """Say that items hold only the fields that `fields` asked for."""
    content = answer["content"]["application/json"]
    some = {"type": "object", "description": "The same, its items with the asked `fields` only."}
    content["schema"] = {"anyOf": [content["schema"], some]}


def main() -> None:
    """Print the document of a server without data."""
    from .app import create_app

    with tempfile.TemporaryDirectory() as folder:
        app = create_app(f"sqlite:///{Path(folder) / 'empty.sqlite3'}")
        text = as_text(app.openapi())
        app.state.store.close()
    print(text, end="")


if __name__ == "__main__":
    main()
