"""Every page of the site, and how a browser comes to see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.web.whole_site import RECIPE

Way = Callable[[Any], None]
"""What is done on a page of Playwright before it is looked at."""


@dataclass(frozen=True)
class SitePage:
    """A page: its address, who looks at it ("" is a stranger), and what is done on it first.

    `answers` is the form's address if it is the answer to a form; `status` that of the answer.
    Names in braces in `path` are keys of submissions by their states.
    """

    path: str
    who: str = ""
    do: Way | None = None
    answers: str = ""
    status: int = 200


def _send(button: str, **fields: str) -> Way:
    """Fill in fields by their ids and press a button; browsers' own checks are left out."""

    def do(page: Any) -> None:
        page.evaluate("document.querySelectorAll('form').forEach(each => each.noValidate = true)")
        for name, text in fields.items():
            page.fill(f"#{name.replace('_', '-')}", text)
        with page.expect_navigation():
            page.get_by_role("button", name=button, exact=True).click()

    return do


def _unfold(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


def _close_wrongly(page: Any) -> None:
    _unfold(page)
    _send("Close the account", close_name="another", close_password="x")(page)


def _post(path: str, **fields: str) -> Way:
    """Send a form that no page of ours holds."""
    made = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    form = f'<form method="post" action="{path}">{made}</form>'

    def do(page: Any) -> None:
        page.evaluate("form => document.body.insertAdjacentHTML('beforeend', form)", form)
        with page.expect_navigation():
            page.evaluate("document.body.lastElementChild.submit()")

    return do


_MODEL: Final = f"/models/{RECIPE}#0".replace("#", "%23")
_MANY: Final = "\n".join(f"layer{number}" for number in range(70))
_FAULTS: Final = _send(
    "Check and submit",
    model="a b",
    preprocessing_crop="many",
    layers=_MANY,
)

PAGES: Final = {
    "leaderboard": SitePage("/"),
    "leaderboard, own": SitePage("/", "ada"),
    "leaderboard, unfolded": SitePage(
        "/?has=online&weight=faces~2&col=objective&col=faces&as_of=2120-01-01", do=_unfold
    ),
    "leaderboard, closed": SitePage("/?open=faces"),
    "leaderboard, activations": SitePage("/?evidence=activations"),
    "leaderboard, simulated": SitePage("/?data=simulated"),
    "leaderboard, frozen": SitePage("/?frozen=2026.11"),
    "leaderboard, nothing found": SitePage("/?q=nothing"),
    "leaderboard, nothing counts": SitePage("/?without=faces&without=monkey"),
    "model": SitePage(_MODEL),
    "model, unfolded": SitePage(_MODEL, do=_unfold),
    "model, handed in": SitePage("/models/ada/graph"),
    "model, activations": SitePage("/models/ada/given", "ada"),
    "model, never scored": SitePage("/models/mobilenet_v1/imagenet"),
    "benchmarks": SitePage("/benchmarks", do=_unfold),
    "benchmark": SitePage("/benchmarks/faces/IT/rsa"),
    "benchmark, matrix": SitePage("/benchmarks/simulated/IT/rsa"),
    "benchmark, without ceiling": SitePage("/benchmarks/monkey/IT/rsa"),
    "measures": SitePage("/measures"),
    "choose models": SitePage("/compare"),
    "compare": SitePage(f"/compare?model=family/best%230&model=family/hebb&model={_MODEL[8:]}"),
    "compare, unfolded": SitePage(
        f"/compare?model=ada/graph&model=family/hebb&model={_MODEL[8:]}", do=_unfold
    ),
    "compare, nothing shared": SitePage("/compare?model=family/partial&model=family/other"),
    "choose benchmarks": SitePage("/compare/benchmarks"),
    "compare benchmarks": SitePage("/compare/benchmarks?x=faces/IT/rsa&y=faces/V1/rsa", do=_unfold),
    "explore": SitePage("/explore?of=faces/IT/rsa", do=_unfold),
    "explore, nothing": SitePage("/explore?q=nothing"),
    "embed": SitePage("/embed"),
    "api": SitePage("/api"),
    "api, unfolded": SitePage("/api", do=_unfold),
    "sign in": SitePage("/sign-in"),
    "sign in, wrong": SitePage(
        "/sign-in", "", _send("Sign in", name="ada", password="not it"), "/sign-in", 401
    ),
    "sign in elsewhere": SitePage("/sign-in", "", _send("Sign in with GitHub"), "/sign-in/github"),
    "sign up": SitePage("/sign-up"),
    "sign up, wrong": SitePage(
        "/sign-up", "", _send("Make the account", name="a b", password="short"), "/sign-up", 422
    ),
    "account": SitePage("/account", "ada", _unfold),
    "account, noted": SitePage("/account?done=password", "ada"),
    "account, new token": SitePage(
        "/account", "ada", _send("Make the token", label="laptop"), "/account/tokens"
    ),
    "account, no label": SitePage(
        "/account", "ada", _send("Make the token", label=""), "/account/tokens", 422
    ),
    "account, wrong password": SitePage(
        *("/account", "ada", _send("Change it", former="x", password="a new password")),
        *("/account/password", 422),
    ),
    "account, not closed": SitePage("/account", "ada", _close_wrongly, "/account/close", 422),
    "account, link": SitePage("/account", "ada", _send("Link GitHub"), "/account/link/github"),
    "submit": SitePage("/submit", "ada"),
    "submit, every kind": SitePage("/submit", "grace", _unfold),
    "submit, faults": SitePage("/submit", "ada", _FAULTS, "/submit", 422),
    "submissions": SitePage("/submissions", "ada"),
    "submissions, none": SitePage("/submissions", "newcomer"),
    **{
        f"submission, {state}": SitePage(f"/submissions/{{{state}}}", "ada", _unfold)
        for state in (
            *("done", "given", "failed", "dead", "cancelled", "withdrawn", "running", "waiting"),
        )
    },
    "problem, no model": SitePage("/models/none", status=404),
    "problem, no page": SitePage("/none", status=404),
    "problem, somebody else's": SitePage("/submissions/{done}", "newcomer", status=404),
    "problem, no such page of a list": SitePage("/embed?rows=0", status=422),
    "problem, not signed in": SitePage("/measures", "", _post("/submit"), "/submit", 401),
    "problem, another site's form": SitePage(
        "/measures", "ada", _post("/sign-out", csrf="x"), "/sign-out", 403
    ),
    "problem, not by post": SitePage("/measures", "", _post("/measures"), "/measures", 405),
    "problem, our fault": SitePage("/broken", status=500),
}
"""What every browser is shown, by a name for the test."""

NO_PAGES: Final = {
    "a file": ("GET /leaderboard.{suffix}", "GET /badges/{name:path}.svg"),
    "a picture": ("GET /matrices/{dataset}/{region}.png", "GET /matrices/{score_id}.png"),
    "leads on": (
        *("POST /sign-out", "GET /sign-in/{name}/callback"),
        *("POST /account/tokens/{token_id}/revoke", "POST /account/sessions/{session_id}/end"),
        *("POST /account/sessions/end", "POST /account/identities/{identity_id}/unlink"),
        *(f"POST /submissions/{{key}}/{act}" for act in ("cancel", "rerun", "benchmarks")),
        *(f"POST /submissions/{{key}}/{act}" for act in ("visibility", "withdraw")),
    ),
}
"""The routes beside the API that answer no page of their own, and what they answer."""
