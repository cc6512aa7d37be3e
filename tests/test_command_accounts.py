"""The command line makes accounts and tokens, and says who did what."""

import json

import pytest
from typer.testing import CliRunner

from isocortex.accounts import passwords, providers
from isocortex.cli import app
from isocortex.errors import AccessError, InputError, UnknownNameError
from isocortex.store import account_checks, open_store

PASSWORD = "quiet green cortex"


@pytest.fixture(autouse=True)
def operator(empty_home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is called ada; hashes are cheap."""
    cheap = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", cheap)
    monkeypatch.setattr(account_checks, "system_user", lambda: "ada")


def isocortex(*words: str, typed: str = "") -> str:
    """What a command prints on standard output."""
    result = CliRunner().invoke(app, list(words), input=typed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_user_is_made_with_a_password_that_is_typed_twice():
    isocortex("users", "add", "eve", "--role", "trusted", typed=f"{PASSWORD}\n{PASSWORD}\n")
    isocortex("users", "add", "bob", "--password-stdin", typed=f"{PASSWORD}\n")
    with open_store() as store:
        assert store.accounts.verify("eve", PASSWORD).role == "trusted"
        assert store.accounts.verify("bob", PASSWORD).role == "user"
    listed = json.loads(isocortex("users", "list", "--json"))
    assert [one["name"] for one in listed] == ["ada", "bob", "eve"]
    assert "trusted" in isocortex("users", "list")
    assert PASSWORD not in str(listed)


def test_a_user_may_sign_in_by_an_identity_alone(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="provider"):
        isocortex("users", "add", "eve", "--identity", "orcid:0000-0001")
    monkeypatch.setenv("ISOCORTEX_ORCID_ID", "id")
    monkeypatch.setenv("ISOCORTEX_ORCID_SECRET", "s")
    isocortex("users", "add", "eve", "--identity", "orcid:0000-0001")
    with open_store() as store:
        found = store.accounts.by_identity(providers.configured()["orcid"].realm, "0000-0001")
        assert found is not None
        assert (found.name, found.has_password) == ("eve", False)


def test_roles_states_and_passwords_are_changed():
    isocortex("users", "add", "eve", "--password-stdin", typed=PASSWORD)
    isocortex("users", "role", "eve", "admin")
    isocortex("users", "disable", "eve")
    assert json.loads(isocortex("users", "list", "--json"))[1]["disabled_at"] is not None
    with open_store() as store, pytest.raises(AccessError):
        store.accounts.verify("eve", PASSWORD)
    isocortex("users", "disable", "--undo", "eve")
    isocortex("users", "password", "eve", "--password-stdin", typed="another fine cortex\r\n")
    with open_store() as store:
        assert store.accounts.verify("eve", "another fine cortex").role == "admin"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["users", "role", "eve", "king"], InputError),
        (["users", "role", "nobody", "user"], UnknownNameError),
        (["users", "add", "eve", "--password-stdin"], InputError),
        (["users", "add", "X Y", "--password-stdin"], InputError),
        (["users", "password", "eve", "--password-stdin"], InputError),
        (["tokens", "make", "x", "--scope", "root"], InputError),
        (["tokens", "make", "x", "--scope", "work", "--user", "eve"], AccessError),
        (["tokens", "revoke", "7"], UnknownNameError),
    ],
)
def test_what_can_not_be_is_refused(words, error):
    isocortex("users", "add", "eve", "--password-stdin", typed=PASSWORD)
    with pytest.raises(error):
        isocortex(*words, typed="short\n")


def test_a_token_is_printed_once_and_revoked_by_its_id():
    secret = isocortex("tokens", "make", "cluster", "--scope", "work", "--days", "0").strip()
    with open_store() as store:
        account, scopes = store.accounts.by_token(secret)
    assert (account.name, account.role, scopes) == ("ada", "admin", {"work"})
    (listed,) = json.loads(isocortex("tokens", "list", "--json"))
    assert (listed["label"], listed["expires_at"]) == ("cluster", None)
    assert secret not in str(listed) + isocortex("tokens", "list")
    isocortex("tokens", "revoke", str(listed["id"]))
    with open_store() as store, pytest.raises(AccessError, match="revoked"):
        store.accounts.by_token(secret)


def test_the_token_of_a_user_is_theirs():
    isocortex("users", "add", "eve", "--password-stdin", typed=PASSWORD)
    secret = isocortex("tokens", "make", "laptop", "--user", "eve").strip()
    with open_store() as store:
        assert store.accounts.by_token(secret)[0].name == "eve"
    assert json.loads(isocortex("tokens", "list", "--json")) == []


def test_the_audit_log_says_who_did_what():
    isocortex("users", "add", "eve", "--password-stdin", typed=PASSWORD)
    isocortex("users", "role", "eve", "trusted")
    found = json.loads(isocortex("audit", "--json"))
    assert [(one["account"], one["action"], one["target"]) for one in found][:2] == [
        ("ada", "account.role", "eve"),
        ("ada", "account.created", "eve"),
    ]
    assert found[0]["detail"] == {"role": "trusted"}
    assert json.loads(isocortex("audit", "--user", "eve", "--json")) == []
    assert "account.role" in isocortex("audit", "--limit", "1")
