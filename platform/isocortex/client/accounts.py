"""The operations on one's own account."""

from collections.abc import Sequence

from .account_schemas import Account, NewToken, Scope, Token, TokenList, TokenRequest
from .connecting import Call, Connection


class OwnAccount(Connection):
    """One's own account and its tokens."""

    def get_account(self) -> Account:
        """Whose token this is, and what it may do."""
        return self._ask(Account, Call(method="GET", path="/account"))

    def list_tokens(self) -> list[Token]:
        """One's tokens, newest first, without their secrets."""
        return self._ask(TokenList, Call(method="GET", path="/account/tokens")).items

    def make_token(self, label: str, scopes: Sequence[Scope], *, days: int | None = 90) -> NewToken:
        """A new token, which may do no more than this one; its secret is told once."""
        wish = TokenRequest(label=label, scopes=list(scopes), days=days)
        return self._ask(NewToken, Call(method="POST", path="/account/tokens", body=wish))

    def revoke_token(self, token_id: int) -> None:
        """Revoke one of one's tokens."""
        self._send(Call(method="DELETE", path=f"/account/tokens/{token_id}"))
