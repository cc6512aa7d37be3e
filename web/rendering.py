"""Pages from templates: autoescaped, with the few filters they need."""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.routing import Match

from isocortex import __version__

from . import access

MISSING: Final = "–"


def render(
    request: Request,
    name: str,
    context: Mapping[str, Any],
    *,
    status_code: int = 200,
    media_type: str = "text/html",
) -> Response:
    """The page of the template `name`, which also knows `visitor` and `csrf`."""
    known = access.signed_in(request) | dict(context)
    return _TEMPLATES.TemplateResponse(
        request, name, known, status_code=status_code, media_type=media_type
    )


def number(value: float | None, digits: int = 2) -> str:
    """A number to so many digits with a true minus sign; an en dash where it is missing."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def path(name: str) -> str:
    """A name as part of a URL's path; slashes stay, `#` does not."""
    return quote(name, safe="/")


def shell(name: str) -> str:
    """A name as one word of a command line."""
    return shlex.quote(name)


def link_or_text(text: str) -> Markup:
    """A link if this is a web address, else the text itself; other schemes are never linked."""
    if text.startswith(("https://", "http://")):
        return Markup('<a href="{0}" rel="noopener">{0}</a>').format(text)
    return escape(text)


def breakable(name: str) -> Markup:
    """A name that may be broken after its slashes, hyphens and underscores."""
    return Markup("").join(
        part + Markup("<wbr>") if part in tuple("/-_") else part
        for part in re.split("([/_-])", name)
    )


def fact(value: object) -> str:
    """A value of a card as text: strings as they are, lists with commas, all else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and not any(isinstance(item, dict) for item in value):
        return ", ".join(map(fact, value))
    return json.dumps(value, ensure_ascii=False)


def sentence(text: str) -> str:
    """Words as a sentence: with a capital first, unless they begin with a name, and a stop.

    >>> sentence("no model is named 'x'"), sentence("conv4/hebb has no scores.")
    ("No model is named 'x'.", 'conv4/hebb has no scores.')
    """
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    if re.fullmatch("[a-z]+[,;]?", first) and first != "isocortex":
        text = text[0].upper() + text[1:]
    ends_in_word = text[-1:].isalnum() or text.endswith(("'", ")", "”"))
    return f"{text}." if ends_in_word else text


def coded(text: str) -> Markup:
    """A text in which what stands between backticks is code."""
    parts = (
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(text.split("`"))
    )
    return Markup("").join(parts)


def anchor(name: str) -> str:
    """A name as the id of an element."""
    return "".join(letter if letter.isalnum() else "-" for letter in name)


PAGES: Final = (
    *(("/", "Leaderboard"), ("/explore", "Explore"), ("/compare", "Compare")),
    *(("/benchmarks", "Benchmarks"), ("/measures", "Measures"), ("/submit", "Submit")),
    ("/api", "API"),
)
"""What every page links to, by address."""


def pages(request: Request) -> tuple[tuple[str, str], ...]:
    """Those of `PAGES` that this application has."""
    scope = {"type": "http", "method": "GET", "headers": [], "root_path": ""}
    routes = request.app.router.routes
    return tuple(
        page
        for page in PAGES
        if any(one.matches({**scope, "path": page[0]})[0] is Match.FULL for one in routes)
    )


def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (number, path, shell, fact, breakable, sentence, coded, anchor)
    environment.filters |= {function.__name__: function for function in filters}
    environment.globals |= {"version": __version__, "link_or_text": link_or_text, "pages": pages}
    return environment


_TEMPLATES: Final = Jinja2Templates(env=_environment())
