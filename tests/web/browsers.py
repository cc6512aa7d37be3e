"""Browsers that fill in forms as people do: from the page, with the page's own token."""

import re
from typing import Any

import httpx2
from fastapi.testclient import TestClient

PASSWORD = "quiet green cortex"


def read_page(client: TestClient, path: str) -> str:
    """The page at this address, which is there."""
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.text


class Browser:
    """Another browser on the same application, with cookies of its own."""

    def __init__(self, client: TestClient, base_url: str = "http://testserver") -> None:
        self.client = TestClient(
            client.app, base_url, raise_server_exceptions=False, follow_redirects=False
        )

    def get(self, path: str, **how: Any) -> httpx2.Response:
        """The answer to a GET."""
        return self.client.get(path, **how)

    def token_of(self, path: str) -> str:
        """The token of the forms of a page."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
        assert found is not None, f"{path} has no form"
        return found[1]

    def send(self, path: str, page: str | None = None, **fields: Any) -> httpx2.Response:
        """The answer to a form, sent from its page as a browser does."""
        fields = {"csrf": self.token_of(page or path)} | fields
        return self.client.post(path, data=fields, headers={"Sec-Fetch-Site": "same-origin"})

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx2.Response:
        """The answer to the form to sign in."""
        return self.send("/sign-in", name=name, password=password)

    @property
    def session(self) -> str | None:
        """What the session's cookie holds."""
        for cookie in self.client.cookies.jar:
            if cookie.name.endswith("isocortex_session"):
                return cookie.value
        return None
