"""Signing in by a real browser, without JavaScript: it sends what our forms rely on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from isocortex.web.app import create_app
from tests.handed_in import served
from tests.web.browsers import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture
def address(empty_home: Path) -> Iterator[str]:
    """The address of a running server that knows ada."""
    application = create_app()
    application.state.store.accounts.create("ada", password=PASSWORD)
    with served(application) as found:
        yield found


def test_a_person_signs_in_makes_a_token_and_signs_out(address: str, chromium: Any) -> None:
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 375, "height": 800}
    )
    page = context.new_page()
    page.goto(f"{address}/account")
    page.fill("#name", "ada")
    page.fill("#password", "not the password")
    page.keyboard.press("Enter")
    assert "wrong" in page.get_by_role("alert").inner_text()
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/account")
    assert page.locator("h1").inner_text() == "ada"
    page.fill("#label", "laptop")
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator("#secret").inner_text()
    assert secret.startswith("iso_")
    answer = context.request.get(
        f"{address}/api/v1/account", headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.json()["name"] == "ada"
    page.goto(f"{address}/account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url(f"{address}/")
    page.goto(f"{address}/account")
    assert page.url.startswith(f"{address}/sign-in?next=")
    context.close()
