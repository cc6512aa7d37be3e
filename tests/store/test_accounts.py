"""Accounts are told apart by secrets that the store does not hold, and each change is on record."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score

from isocortex.accounts import passwords, secrets
from isocortex.errors import AccessError, InputError, QuotaError, StoreError, UnknownNameError
from isocortex.store import Store, account_checks, account_rows
from isocortex.store.account_records import Actor
from isocortex.store.schema import now

PASSWORD = "quiet green cortex"


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which of the hasher's functions were called, in order; the hashes themselves are cheap."""
    calls: list[str] = []
    cheap = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

    class Counting:
        check_needs_rehash = staticmethod(cheap.check_needs_rehash)

        @staticmethod
        def hash(password: str) -> str:
            calls.append("hash")
            return cheap.hash(password)

        @staticmethod
        def verify(stored: str, password: str) -> bool:
            calls.append("verify")
            return cheap.verify(stored, password)

    monkeypatch.setattr(passwords, "_HASHER", Counting)
    passwords._nobodys_hash.cache_clear()
    passwords._nobodys_hash()
    calls.clear()
    yield calls
    passwords._nobodys_hash.cache_clear()


def dump(store: Store) -> str:
    """All that the tables of accounts hold."""
    tables = ("account", "session", "token", "identity", "audit")
    with store.engine.connect() as connection:
        return "\n".join(
            str(tuple(row))
            for table in tables
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        )


def test_an_account_is_found_as_it_was_made(store: Store) -> None:
    made = store.accounts.create("ada", email="ada@example.org", role="trusted")
    assert store.accounts.find("ada") == store.accounts.by_id(made.id) == made
    assert (made.email, made.role, made.has_password) == ("ada@example.org", "trusted", False)
    assert store.accounts.known() == (made,)


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "Ada",
        "1st",
        "-a",
        "a" * 40,
        "a/b",
        "a b",
        "a\n",
        "ada'--",
        "<b>x</b>",
        "ａda",
        "",
        "a\0",
    ],
)
def test_names_that_are_no_names_are_refused(small_store: Store, name: str) -> None:
    with pytest.raises(InputError, match="can't be named"):
        small_store.accounts.create(name)
    with pytest.raises(UnknownNameError):
        small_store.accounts.find(name)
    with pytest.raises(AccessError):
        small_store.accounts.verify(name, PASSWORD)


def test_a_name_that_models_bear_is_taken(store: Store) -> None:
    record_score(store, candidate_facts("family/net"), benchmark_facts())
    store.accounts.create("ada")
    for name in ("family", "pixels", "ada", "admin", "api"):
        with pytest.raises(InputError, match="is taken"):
            store.accounts.create(name)
    assert store.accounts.create("famil").name == "famil"


@pytest.mark.parametrize("email", ["x", "a@b\nBcc: c@d", "a b@c", "@", "<a@b>", "a" * 300 + "@b"])
def test_an_email_address_has_no_place_for_a_header(small_store: Store, email: str) -> None:
    with pytest.raises(InputError, match="no e-mail address"):
        small_store.accounts.create("ada", email=email)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "has 5 characters"),
        ("x" * 1_001, "has 1,001 characters"),
        ("e\u0301" * 600, "has 600 characters"),
        ("password123", "first that are tried"),
        ("PassWord123", "first that are tried"),
        ("1234567890", "first that are tried"),
        ("abababababab", "first that are tried"),
        ("adalovelace1", "account's name"),
        ("half a \ud800 character", "half a character"),
    ],
)
def test_weak_passwords_are_refused(password: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        passwords.check_password(password, name="adalovelace")


def test_a_password_is_the_same_however_its_letters_are_composed(hashes: list[str]) -> None:
    assert passwords.is_right(passwords.hash_password("café au lait"), "cafe\u0301 au lait")


def test_hashes_are_argon2id_with_the_parameters_of_owasp() -> None:
    stored = passwords.hash_password(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.is_right(stored, PASSWORD)
    assert not passwords.is_right(stored, PASSWORD + "!")
    assert not passwords.is_right("not a hash", PASSWORD)


def test_only_the_right_password_of_an_enabled_account_is_accepted(
    store: Store, hashes: list[str]
) -> None:
    made = store.accounts.create("ada", password=PASSWORD)
    store.accounts.create("bare")
    assert store.accounts.verify("ada", PASSWORD) == made
    store.accounts.create("gone", password=PASSWORD)
    store.accounts.disable(store.accounts.find("gone").id)
    refusals = set()
    for name, password in [
        ("ada", "wrong"),
        ("nobody-here", PASSWORD),
        ("bare", ""),
        ("gone", PASSWORD),
    ]:
        with pytest.raises(AccessError) as refused:
            store.accounts.verify(name, password)
        refusals.add(str(refused.value))
    assert len(refusals) == 1


@pytest.mark.parametrize("name", ["ada", "bare", "gone", "never-was", "no name at all"])
def test_each_refusal_costs_one_hash(small_store: Store, hashes: list[str], name: str) -> None:
    for known in ("ada", "gone"):
        small_store.accounts.create(known, password=PASSWORD)
    small_store.accounts.create("bare")
    small_store.accounts.disable(small_store.accounts.find("gone").id)
    hashes.clear()
    with pytest.raises(AccessError):
        small_store.accounts.verify(name, PASSWORD if name == "gone" else "wrong password")
    assert hashes == ["verify"]


def test_a_hash_of_former_parameters_is_renewed_at_sign_in(small_store: Store) -> None:
    weak = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    made = small_store.accounts.create("ada")
    with small_store.engine.begin() as connection:
        account_rows.change_account(connection, made.id, password_hash=weak)
    small_store.accounts.verify("ada", PASSWORD)
    assert "m=8," not in dump(small_store)
    assert "m=19456,t=2,p=1" in dump(small_store)
    assert small_store.accounts.verify("ada", PASSWORD).name == "ada"


def test_no_secret_is_stored(store: Store, hashes: list[str]) -> None:
    account = store.accounts.create("ada", password=PASSWORD)
    session = store.accounts.sign_in(account)
    token, _ = store.accounts.make_token(account.id, "laptop", ["read"])
    held = dump(store)
    assert secrets.kept(token) in held
    for secret in (PASSWORD, session, token):
        assert secret not in held


def test_a_session_lasts_until_it_is_ended(store: Store) -> None:
    account = store.accounts.create("ada")
    secret = store.accounts.sign_in(account, address="192.0.2.1")
    found = store.accounts.session(secret)
    assert found is not None
    assert found.account == account
    assert store.accounts.session(secret + "x") is None
    store.accounts.sign_out(secret)
    assert store.accounts.session(secret) is None


def test_signing_in_ends_the_former_session_of_the_browser(store: Store) -> None:
    account = store.accounts.create("ada")
    first = store.accounts.sign_in(account)
    other = store.accounts.sign_in(account)
    second = store.accounts.sign_in(account, former=first)
    assert [store.accounts.session(s) is None for s in (first, other, second)] == [
        True,
        False,
        False,
    ]
    assert first != second


def test_a_session_expires(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    account = store.accounts.create("ada")
    secret = store.accounts.sign_in(account)
    later = now() + account_rows.SESSION_LASTS
    monkeypatch.setattr(account_rows, "now", lambda: later)
    assert store.accounts.session(secret) is None
    assert store.accounts.sessions(account.id) == ()
    store.accounts.sign_in(account)
    with store.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM session")) == 1


def test_disabling_ends_sessions_and_stops_tokens_until_it_is_undone(store: Store) -> None:
    account = store.accounts.create("ada")
    session = store.accounts.sign_in(account)
    token, _ = store.accounts.make_token(account.id, "laptop", ["read"])
    store.accounts.disable(account.id)
    assert store.accounts.session(session) is None
    with pytest.raises(AccessError, match="unknown"):
        store.accounts.by_token(token)
    store.accounts.enable(account.id)
    assert store.accounts.session(session) is None
    assert store.accounts.by_token(token)[0].name == "ada"


def test_a_new_password_signs_all_other_browsers_out(store: Store, hashes: list[str]) -> None:
    account = store.accounts.create("ada", password=PASSWORD)
    here, there = store.accounts.sign_in(account), store.accounts.sign_in(account)
    kept = store.accounts.session(here)
    assert kept is not None
    store.accounts.set_password(account.id, "another fine cortex", keep=kept.session_id)
    assert store.accounts.session(here) is not None
    assert store.accounts.session(there) is None
    with pytest.raises(AccessError):
        store.accounts.verify("ada", PASSWORD)


def test_a_token_gives_its_account_and_scopes(store: Store) -> None:
    account = store.accounts.create("ada")
    secret, made = store.accounts.make_token(account.id, " laptop ", ["read", "submit"])
    assert secret.startswith(made.prefix)
    assert made.prefix.startswith("iso_")
    assert len(secret) == len("iso_") + 43
    assert made.label == "laptop"
    assert store.accounts.by_token(secret) == (account, frozenset({"read", "submit"}))
    assert store.accounts.tokens(account.id)[0].scopes == {"read", "submit"}


@pytest.mark.parametrize(
    "forge",
    [
        lambda secret: secret[:-1] + chr(ord(secret[-1]) ^ 1),
        lambda secret: secret + "\0",
        str.upper,
        lambda secret: "",
        secrets.kept,
    ],
)
def test_a_forged_token_is_refused(store: Store, forge) -> None:
    account = store.accounts.create("ada")
    secret, _ = store.accounts.make_token(account.id, "laptop", ["read"])
    with pytest.raises(AccessError, match="unknown"):
        store.accounts.by_token(forge(secret))


def test_a_token_that_was_revoked_or_has_expired_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = store.accounts.create("ada")
    revoked, made = store.accounts.make_token(account.id, "old", ["read"])
    store.accounts.revoke(account.id, made.id)
    with pytest.raises(AccessError, match="is revoked"):
        store.accounts.by_token(revoked)
    lasting, _ = store.accounts.make_token(account.id, "new", ["read"], now() + timedelta(days=1))
    store.accounts.by_token(lasting)
    later = now() + timedelta(days=1)
    monkeypatch.setattr(account_rows, "now", lambda: later)
    with pytest.raises(AccessError, match="expired on"):
        store.accounts.by_token(lasting)


def test_nobody_revokes_the_token_of_another(store: Store) -> None:
    ada, eve = store.accounts.create("ada"), store.accounts.create("eve")
    secret, made = store.accounts.make_token(ada.id, "laptop", ["read"])
    with pytest.raises(UnknownNameError):
        store.accounts.revoke(eve.id, made.id)
    assert store.accounts.by_token(secret)[0] == ada


def test_scopes_end_with_the_role_that_gave_them(store: Store) -> None:
    admin = store.accounts.create("ada", role="admin")
    secret, _ = store.accounts.make_token(admin.id, "all", ["read", "work", "admin"])
    store.accounts.set_role(admin.id, "user")
    assert store.accounts.by_token(secret)[1] == {"read"}
    for scope in ("work", "admin"):
        with pytest.raises(AccessError, match="role user"):
            store.accounts.make_token(admin.id, "more", [scope])


@pytest.mark.parametrize(
    ("label", "scopes", "days", "reason"),
    [
        ("", ["read"], 1, "label"),
        ("x" * 101, ["read"], 1, "label"),
        ("a\r\nSet-Cookie: b", ["read"], 1, "label"),
        ("a\0", ["read"], 1, "label"),
        ("laptop", [], 1, "scopes are none"),
        ("laptop", ["root"], 1, "scopes are root"),
        ("laptop", ["read"], -1, "past"),
    ],
)
def test_tokens_that_can_not_be_are_refused(
    small_store: Store, label: str, scopes: list[str], days: int, reason: str
) -> None:
    account = small_store.accounts.create("ada")
    with pytest.raises(InputError, match=reason):
        small_store.accounts.make_token(account.id, label, scopes, now() + timedelta(days=days))


def test_living_tokens_are_counted(small_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_checks, "MOST_TOKENS", 1)
    account = small_store.accounts.create("ada")
    _, first = small_store.accounts.make_token(account.id, "one", ["read"])
    with pytest.raises(QuotaError, match="revoke one first"):
        small_store.accounts.make_token(account.id, "two", ["read"])
    small_store.accounts.revoke(account.id, first.id)
    small_store.accounts.make_token(account.id, "two", ["read"])


def test_the_use_of_a_token_is_noted_once_a_minute(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = store.accounts.create("ada")
    secret, _ = store.accounts.make_token(account.id, "laptop", ["read"])
    start, used = now(), []
    for seconds in (1, 30, 60, 61, 70):
        moment = start + timedelta(seconds=seconds)
        monkeypatch.setattr(account_rows, "now", lambda moment=moment: moment)
        store.accounts.by_token(secret)
        (token,) = store.accounts.tokens(account.id)
        used.append((token.last_used_at - start).total_seconds())
    assert used == [1, 1, 1, 61, 61]


def test_a_token_is_accepted_while_nothing_can_be_written(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    account = small_store.accounts.create("ada")
    secret, _ = small_store.accounts.make_token(account.id, "laptop", ["read"])
    monkeypatch.setattr(account_rows, "note_use", full)
    assert small_store.accounts.by_token(secret)[0] == account


def test_an_identity_belongs_to_one_account(store: Store) -> None:
    ada, eve = store.accounts.create("ada"), store.accounts.create("eve")
    store.accounts.link_identity(ada.id, "orcid", "0000-0001")
    store.accounts.link_identity(ada.id, "orcid", "0000-0001")
    assert store.accounts.by_identity("orcid", "0000-0001") == ada
    assert store.accounts.by_identity("github", "0000-0001") is None
    with pytest.raises(InputError, match="another account"):
        store.accounts.link_identity(eve.id, "orcid", "0000-0001")


def test_the_only_way_to_sign_in_stays(store: Store, hashes: list[str]) -> None:
    ada = store.accounts.create("ada")
    for provider in ("orcid", "github"):
        store.accounts.link_identity(ada.id, provider, "1")
    first, second = store.accounts.identities(ada.id)
    store.accounts.unlink_identity(ada.id, first.id)
    with pytest.raises(InputError, match="only way"):
        store.accounts.unlink_identity(ada.id, second.id)
    store.accounts.set_password(ada.id, PASSWORD)
    store.accounts.unlink_identity(ada.id, second.id)
    assert store.accounts.identities(ada.id) == ()


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ("Ada", "ada"),
        ("Ada Lovelace!", "ada-lovelace"),
        ("", "user-2"),
        ("admin", "admin-2"),
        ("李", "user-2"),
        ("pixels", "pixels-2"),
        ("taken", "taken-2"),
    ],
)
def test_who_comes_from_a_provider_gets_a_name_that_is_free(
    small_store: Store, wish: str, name: str
) -> None:
    small_store.accounts.create("taken")
    made = small_store.accounts.create_for("orcid", "1", wish=wish)
    assert (made.name, made.role) == (name, "user")
    assert small_store.accounts.create_for("orcid", "1", wish="other") == made


def test_a_closed_account_holds_nothing_personal(store: Store, hashes: list[str]) -> None:
    ada = store.accounts.create("ada", password=PASSWORD, email="ada@example.org")
    session = store.accounts.sign_in(ada)
    token, _ = store.accounts.make_token(ada.id, "laptop", ["read"])
    store.accounts.link_identity(ada.id, "orcid", "0000-0001")
    store.webhooks.add(ada.id, "https://ada.example.org/hook")
    store.accounts.close(ada.id)
    assert store.webhooks.of_account(ada.id) == ()
    closed = store.accounts.find("ada")
    assert (closed.email, closed.has_password, closed.disabled_at is None) == (None, False, False)
    assert store.accounts.session(session) is None
    assert store.accounts.by_identity("orcid", "0000-0001") is None
    store.accounts.enable(ada.id)
    with pytest.raises(AccessError, match="is revoked"):
        store.accounts.by_token(token)
    with pytest.raises(InputError, match="is taken"):
        store.accounts.create("ada")


def test_the_command_line_has_an_account_of_its_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_checks, "system_user", lambda: "Ada.L")
    own = store.accounts.local_account()
    assert (own.name, own.role) == ("ada-l", "admin")
    assert store.accounts.local_account() == own
    store.accounts.disable(own.id)
    with pytest.raises(AccessError, match="--undo"):
        store.accounts.local_account()


def test_a_stranger_who_bears_the_name_of_the_operator_stays_a_stranger(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_checks, "system_user", lambda: "ada")
    stranger = store.accounts.create("ada")
    own = store.accounts.local_account()
    assert own.name == "local"
    assert store.accounts.by_id(stranger.id) == stranger


def test_an_admin_of_the_operators_name_is_the_operator(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_checks, "system_user", lambda: "ada")
    made = store.accounts.create("ada", role="admin")
    assert store.accounts.local_account() == made


def test_every_change_is_on_record(store: Store, hashes: list[str]) -> None:
    ada = store.accounts.create("ada", password=PASSWORD)
    actor = Actor(ada.id, "192.0.2.1")
    secret = store.accounts.sign_in(ada, address="192.0.2.1")
    _, token = store.accounts.make_token(ada.id, "laptop", ["read"], actor=actor)
    store.accounts.revoke(ada.id, token.id, actor=actor)
    store.accounts.revoke(ada.id, token.id, actor=actor)
    store.accounts.set_password(ada.id, "another fine cortex", actor=actor)
    store.accounts.set_role(ada.id, "admin", actor=actor)
    store.accounts.link_identity(ada.id, "orcid", "1", actor=actor)
    (identity,) = store.accounts.identities(ada.id)
    store.accounts.unlink_identity(ada.id, identity.id, actor=actor)
    store.accounts.sign_out(store.accounts.sign_in(ada))
    store.accounts.sign_out(secret)
    store.accounts.disable(ada.id, actor=actor)
    store.accounts.enable(ada.id, actor=actor)
    store.accounts.close(ada.id, actor=actor)
    store.accounts.audit("made.up", "x" * 300, account_id=ada.id, why="because")
    found = store.accounts.audits()
    assert [each.action for each in reversed(found)] == [
        *("account.created", "session.begun", "token.made", "token.revoked", "password.changed"),
        *("account.role", "identity.linked", "identity.unlinked", "session.begun"),
        *("session.ended", "account.disabled", "account.enabled", "account.closed", "made.up"),
    ]
    assert found[0].detail == {"why": "because"}
    assert found[-3].account == "ada"
    assert found[-3].address == "192.0.2.1"
    assert [each.id for each in store.accounts.audits(after=found[0].id, limit=2)] == [
        each.id for each in found[1:3]
    ]
    assert [each.action for each in store.accounts.audits(action="made.up")] == ["made.up"]
