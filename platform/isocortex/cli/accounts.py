"""Commands about accounts: users, their tokens, and the audit log.

They act for whoever runs them, on the database itself, so that they need no server.
"""

import sys
from datetime import timedelta
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..store import Store, open_store
from ..store.account_records import ROLES, SCOPES, Actor, Role, StoredAccount, StoredToken
from ..store.schema import now
from ._app import app
from ._output import print_json, print_note, print_table
from .listing import AsJson

users = typer.Typer(help="Make and look after accounts.", no_args_is_help=True)
tokens = typer.Typer(help="Make and revoke tokens for programs.", no_args_is_help=True)
app.add_typer(users, name="users")
app.add_typer(tokens, name="tokens")

Name = Annotated[str, typer.Argument(help="The account's name.")]
Owner = Annotated[str | None, typer.Option("--user", help="Whose tokens; your own by default.")]
RoleOption = Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@users.command("add")
def add_user(
    name: Name,
    role: RoleOption = "user",
    email: Annotated[str | None, typer.Option(help="Seen by you and the holder.")] = None,
    identity: Annotated[
        str | None,
        typer.Option(help="Instead of a password: orcid:0000-0002-…, or github:NUMBER."),
    ] = None,
    from_input: FromInput = False,
) -> None:
    """Make an account; its password is asked for."""
    provider, subject = _identity(identity) if identity else ("", "")
    password = None if identity else _password(from_input)
    with open_store() as store:
        actor = _actor(store)
        made = store.accounts.create(
            name, password=password, email=email, role=_role(role), actor=actor
        )
        if identity:
            store.accounts.link_identity(made.id, provider, subject, actor=actor)
    print_note(f"{name} can sign in")


@users.command("list")
def list_users(as_json: AsJson = False) -> None:
    """List all accounts."""
    with open_store() as store:
        known = store.accounts.known()
    if as_json:
        print_json([_account_facts(each) for each in known])
        return
    print_table(
        "Accounts",
        ("name", "role", "e-mail", "made", "state"),
        [
            (
                each.name,
                each.role,
                each.email or "",
                f"{each.created_at:%Y-%m-%d}",
                f"disabled {each.disabled_at:%Y-%m-%d}" if each.disabled_at else "",
            )
            for each in known
        ],
    )


@users.command("role")
def change_role(name: Name, role: Annotated[str, typer.Argument(help="user, trusted…")]) -> None:
    """Change what an account is trusted with; sessions and tokens follow at once."""
    with open_store() as store:
        found = store.accounts.find(name)
        store.accounts.set_role(found.id, _role(role), actor=_actor(store))
    print_note(f"{name} is {role}")


@users.command("disable")
def disable_user(
    name: Name, undo: Annotated[bool, typer.Option("--undo", help="Let it in again.")] = False
) -> None:
    """Let nobody use an account, or let its holder in again."""
    with open_store() as store:
        found = store.accounts.find(name)
        if undo:
            store.accounts.enable(found.id, actor=Actor())
        else:
            store.accounts.disable(found.id, actor=_actor(store))
    print_note(f"{name} {'can sign in again' if undo else 'is disabled'}")


@users.command("password")
def change_password(name: Name, from_input: FromInput = False) -> None:
    """Set another password; all sessions of the account end."""
    with open_store() as store:
        found = store.accounts.find(name)
        store.accounts.set_password(found.id, _password(from_input), actor=_actor(store))
    print_note(f"{name} has a new password")


@tokens.command("make")
def make_token(
    label: Annotated[str, typer.Argument(help="What you call it, such as laptop.")],
    scope: Annotated[
        list[str], typer.Option(help=f"{', '.join(SCOPES)}; give it more than once.")
    ] = ["read", "submit"],  # noqa: B006 (typer copies it)
    days: Annotated[int, typer.Option(min=0, max=3650, help="How long; 0 for ever.")] = 90,
    user: Owner = None,
) -> None:
    """Print the secret of a new token, which is told this once."""
    expires = now() + timedelta(days=days) if days else None
    with open_store() as store:
        owner = _owner(store, user)
        secret, made = store.accounts.make_token(
            owner.id, label, scope, expires, actor=_actor(store)
        )
    print_note(f"token {made.id} of {owner.name}: copy it now, it is not shown again")
    typer.echo(secret)


@tokens.command("list")
def list_tokens(user: Owner = None, as_json: AsJson = False) -> None:
    """List tokens, also those that are revoked or expired."""
    with open_store() as store:
        known = store.accounts.tokens(_owner(store, user).id)
    if as_json:
        print_json([_token_facts(each) for each in known])
        return
    columns = ("id", "label", "begins with", "may", "expires", "last used", "revoked")
    rows = [tuple(str(value or "") for value in _token_facts(each).values()) for each in known]
    print_table("Tokens", columns, rows)


@tokens.command("revoke")
def revoke_token(
    token: Annotated[int, typer.Argument(help="The token's id.")], user: Owner = None
) -> None:
    """Revoke a token."""
    with open_store() as store:
        store.accounts.revoke(_owner(store, user).id, token, actor=_actor(store))
    print_note(f"token {token} is revoked")


@app.command()
def audit(
    user: Annotated[str | None, typer.Option(help="Only what this account did.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, newest first: accounts, tokens, sign-ins."""
    with open_store() as store:
        account_id = None if user is None else store.accounts.find(user).id
        found = store.accounts.audits(account_id=account_id, limit=limit)
    facts = [
        {
            "at": each.at.isoformat(timespec="seconds"),
            "account": each.account,
            "action": each.action,
            "target": each.target,
            "address": each.address,
            "detail": dict(each.detail),
        }
        for each in found
    ]
    if as_json:
        print_json(facts)
        return
    columns = ("at", "account", "action", "target", "address", "detail")
    rows = [row | {"detail": _shown_detail(row["detail"])} for row in facts]
    print_table("Audit", columns, [tuple(str(v or "") for v in row.values()) for row in rows])


def _shown_detail(detail: Any) -> str:
    return ", ".join(f"{name}: {value}" for name, value in detail.items())


def _actor(store: Store) -> Actor:
    return Actor(store.accounts.local_account().id)


def _owner(store: Store, name: str | None) -> StoredAccount:
    return store.accounts.local_account() if name is None else store.accounts.find(name)


def _role(text: str) -> Role:
    for role in ROLES:
        if role == text:
            return role
    raise InputError(f"{text!r} is no role; give one of {', '.join(ROLES)}")


def _identity(text: str) -> tuple[str, str]:
    from ..accounts.providers import configured

    name, _, subject = text.partition(":")
    known = configured()
    if name not in known or not subject:
        raise InputError(
            f"{text!r} names no identity; write one of {', '.join(known) or 'no provider yet'}, a "
            "colon and what it calls the person, and set the provider up first (docs/accounts.md)"
        )
    return known[name].realm, subject


def _password(from_input: bool) -> str:
    """The password that is typed twice, or the first line of standard input."""
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _account_facts(account: StoredAccount) -> dict[str, Any]:
    return {
        "name": account.name,
        "role": account.role,
        "email": account.email,
        "created_at": account.created_at.isoformat(timespec="seconds"),
        "disabled_at": None if account.disabled_at is None else account.disabled_at.isoformat(),
    }


def _token_facts(token: StoredToken) -> dict[str, Any]:
    moments = {
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }
    facts = {"id": token.id, "label": token.label, "prefix": token.prefix}
    shown = {name: at and at.isoformat(timespec="seconds") for name, at in moments.items()}
    return facts | {"scopes": ", ".join(sorted(token.scopes))} | shown
