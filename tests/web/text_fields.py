"""Every field of the application that takes text: from its routes, and from the forms of its pages.

A `Field` knows how to send its request with a text in this one place and what is usual elsewhere.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from isocortex.web.openapi import operations

Asked = dict[str, Any]
Steps = tuple[str | int, ...]
"""Where in a JSON document a text stands; a last step of `KEY` is the name of a member."""

KEY = "\0key"


@dataclass(frozen=True)
class Field:
    """One place for a text, in one operation: `where` is path, query, header, json or form."""

    method: str
    path: str
    where: str
    name: str
    steps: Steps = ()
    form: Mapping[str, Any] = field(default_factory=dict, hash=False)
    document: Any = field(default=None, hash=False)

    def __str__(self) -> str:
        """As it is named when a test fails."""
        return f"{self.method} {self.path} {self.where} {self.name}"

    def request(self, text: str, known: Mapping[str, Any]) -> Asked | None:
        """What to send, with `known` values for the other parts of the path; None if no header
        can hold such a text.
        """
        in_path = dict(known)
        asked: Asked = {"method": self.method}
        if self.where == "path":
            in_path[self.name] = text
        elif self.where == "header":
            if not text.isascii() or not text.isprintable():
                return None
            asked["headers"] = {self.name: text}
        elif self.where == "json":
            content = json.dumps(placed(self.document, self.steps, text))
            asked |= {"content": content, "headers": {"Content-Type": "application/json"}}
        elif self.method == "POST":
            fields = {**self.form, self.name: text}
            asked["content"] = encoded(fields)
            asked["headers"] = {"Content-Type": "application/x-www-form-urlencoded"}
        query = {} if self.method == "POST" else {**self.form, self.name: text}
        path = filled(self.path, in_path)
        asked["url"] = f"{path}?{encoded(query)}" if self.where == "query" else path
        return asked


def encoded(fields: Mapping[str, Any]) -> str:
    """The fields as in an address, whatever they hold."""
    return urlencode(fields, doseq=True, errors="surrogatepass")


def filled(path: str, values: Mapping[str, Any]) -> str:
    """The path with these values in its places."""
    for name, value in values.items():
        text = quote(str(value), safe="", errors="surrogatepass")
        path = path.replace(f"{{{name}}}", text)
    return path


def placed(document: Any, steps: Steps, text: str) -> Any:
    """The document with the text at one place, which is made if need be."""
    if not steps:
        return text
    step, rest = steps[0], steps[1:]
    if step == KEY:
        return {text: 1}
    if isinstance(step, int):
        return [placed(None, rest, text)]
    inner = document if isinstance(document, Mapping) else {}
    return {**inner, step: placed(inner.get(step), rest, text)}


def documents(app: FastAPI) -> tuple[dict[str, Any], dict[str, Any]]:
    """The OpenAPI document, and one of the routes that it leaves out: pages, and workers' own."""
    hidden = [copy.copy(route) for route in all_routes(app) if not route.include_in_schema]
    for route in hidden:
        route.include_in_schema = True
    return app.openapi(), get_openapi(title="hidden", version="1", routes=hidden)


def all_routes(router: Any) -> Iterator[APIRoute]:
    """The routes of an application or router, and of all routers in it."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from all_routes(route.original_router)


def declared_fields(document: Mapping[str, Any]) -> Iterator[Field]:
    """Every parameter and every place in a body, of whatever type it should be."""
    for path, method, operation in operations(dict(document)):
        for one in operation.get("parameters", ()):
            yield Field(method.upper(), path, one["in"], one["name"])
        for kind, body in operation.get("requestBody", {}).get("content", {}).items():
            schema = body["schema"]
            if kind == "application/json":
                usual = example(document, schema)
                for steps in leaves(document, schema):
                    name = ".".join(map(str, steps))
                    yield Field(method.upper(), path, "json", name, steps, document=usual)
            elif kind != "application/octet-stream":
                for name in resolved(document, schema)["properties"]:
                    yield Field(method.upper(), path, "form", name)


def resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself, where it is a reference or may be null."""
    for each in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        if "$ref" in each:
            found: Mapping[str, Any] = document["components"]["schemas"][each["$ref"][21:]]
            return resolved(document, found)
    some = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return resolved(document, some[0]) if some else schema


def leaves(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Steps]:
    """Where in such a document a value stands, or the name of a member may be chosen."""
    found = resolved(document, schema)
    for name, each in found.get("properties", {}).items():
        yield from ((name, *steps) for steps in leaves(document, each))
    if found.get("type") == "array":
        yield from ((0, *steps) for steps in leaves(document, found.get("items", {})))
    elif found.get("type") == "object":
        yield (KEY,)
        if isinstance(found.get("additionalProperties"), Mapping):
            inner = leaves(document, found["additionalProperties"])
            yield from (("1", *steps) for steps in inner)
    else:
        yield ()


def example(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """Some value of this schema, with what is required."""
    found = resolved(document, schema)
    for each in (schema, found):
        if "examples" in each:
            return each["examples"][0]
    if found.get("type") == "object":
        required = found.get("required", ())
        return {name: example(document, found["properties"][name]) for name in required}
    if found.get("type") == "array":
        return [example(document, found.get("items", {}))]
    plain = {"string": "text", "integer": 1, "number": 1.0, "boolean": False}
    return found.get("enum", [plain.get(found.get("type", ""))])[0]


class Page(HTMLParser):
    """What a page is made of: its tags, its attributes, and its forms with what they would send."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.forms: list[tuple[str, str, dict[str, Any]]] = []
        self._by_id: dict[str, dict[str, Any]] = {}
        self._select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """One more tag."""
        found = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.attributes |= found.keys()
        self.addresses += [found[name] for name in ("href", "src", "action") if name in found]
        if tag == "form":
            fields = self._by_id.setdefault(found.get("id", str(len(self.forms))), {})
            method = found.get("method", "get").upper()
            self.forms.append((method, found["action"].partition("#")[0], fields))
        elif tag in ("input", "select", "textarea") and "name" in found:
            fields = self._by_id.setdefault(found["form"], {}) if "form" in found else self._last
            unticked = found.get("type") in ("checkbox", "radio") and "checked" not in found
            fields.setdefault(found["name"], "" if unticked else found.get("value", ""))

    @property
    def _last(self) -> dict[str, Any]:
        return self.forms[-1][2] if self.forms else {}


def form_fields(page: Page) -> Iterator[Field]:
    """Every field of every form of a page, but the form's own token."""
    for method, path, fields in page.forms:
        where = "form" if method == "POST" else "query"
        usual = {name: value for name, value in fields.items() if value}
        for name in fields.keys() - {"csrf"}:
            yield Field(method, path, where, name, form=usual)
