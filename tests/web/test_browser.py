"""The leaderboard in Chromium: without JavaScript, in place, by keyboard, on a telephone."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from isocortex.web.app import create_app
from tests.handed_in import served
from tests.made_up_scores import fill_store

from isocortex.store import open_store

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server with made-up scores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("served")))
        with open_store() as store:
            fill_store(store)
        with served(create_app()) as found:
            yield found


def test_the_form_works_without_javascript(address: str, chromium: Any) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.goto(address)
    page.select_option("select[name=learning_rule]", "hebbian")
    page.locator("summary", has_text="Benchmarks and weights").click()
    page.get_by_role("checkbox", name="V1 × rsa").uncheck()
    page.click("button:text('Show')")
    assert page.url == f"{address}/?learning_rule=hebbian&without=faces/V1/rsa"
    names = page.locator("tbody th.name a").all_inner_texts()
    assert names[0] == "family/hebb"
    assert "1 of 2" not in page.locator("td.mean").first.inner_text()
    page.locator("tbody th.name a").first.click()
    assert page.locator("h1").inner_text() == "family/hebb"
    page.close()


def test_weights_change_the_table_in_place(address: str, chromium: Any) -> None:
    page = chromium.new_page()
    page.goto(address)
    page.evaluate("document.querySelector('h1').dataset.kept = 'yes'")
    page.locator("summary", has_text="Benchmarks and weights").click()
    weight = page.get_by_label("Weight of faces/IT × rsa").or_(
        page.get_by_label("Weight of faces/IT/rsa")
    )
    weight.fill("3")
    weight.press("Tab")
    page.wait_for_url("**/?weight=faces/IT/rsa~3")
    assert "weighted" in page.locator("thead th.mean").inner_text()
    assert page.evaluate("document.querySelector('h1').dataset.kept") == "yes"
    page.go_back()
    page.wait_for_function(
        "!document.querySelector('thead th.mean').innerText.includes('weighted')"
    )
    page.close()


def test_the_keyboard_alone_leads_from_the_leaderboard_to_the_file(
    address: str, chromium: Any
) -> None:
    page = chromium.new_page(accept_downloads=True)
    page.goto(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "CSV":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    with Path(download.value.path()).open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["model"] for line in lines} >= {"family/best#0", "family/hebb"}
    page.close()


def test_ticked_models_are_compared(address: str, chromium: Any) -> None:
    page = chromium.new_page()
    page.goto(address)
    for name in ("family/best#0", "family/hebb"):
        page.get_by_role("checkbox", name=f"Compare {name}").check()
    page.click("button:text('Compare the ticked models')")
    assert "How much better family/best#0 is" in page.locator("figcaption").first.inner_text()
    page.close()


def test_the_table_scrolls_in_its_own_box_and_by_keyboard(address: str, chromium: Any) -> None:
    page = chromium.new_page(viewport={"width": 375, "height": 900})
    page.goto(address)
    box = page.locator(".tablebox")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    assert box.get_attribute("tabindex") == "0"
    name = page.locator("tbody th.name").first
    assert 100 < name.bounding_box()["width"] < 375 / 2  # it stays while the scores scroll
    box.evaluate("box => box.scrollLeft = 400")
    assert name.bounding_box()["x"] == box.bounding_box()["x"] + 1
    page.close()
