"""The pages in Chromium: on a telephone and a desk, by day and by night."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from isocortex.web.app import create_app
from tests.made_up_scores import fill_store

from isocortex.store import open_store

pytestmark = pytest.mark.browser

PATHS = ["/", "/models/family/best%230", "/benchmarks", "/benchmarks/faces/IT/rsa"]
CONTRASTS = """() => {
  const light = text => {
    const channels = text.match(/[\\d.]+/g).slice(0, 3).map(Number).map(value => value / 255);
    const [r, g, b] = channels.map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = node => {
    for (let one = node; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const written = [...document.querySelectorAll("body *")].filter(node =>
    [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()));
  return written.map(node => {
    const [one, other] = [light(getComputedStyle(node).color), light(ground(node))];
    const ratio = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
    return [ratio, node.textContent.trim().slice(0, 40)];
  });
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server with the made-up scores."""
    with pytest.MonkeyPatch.context() as patch, socket.socket() as listening:
        folder = tmp_path_factory.mktemp("served")
        patch.setenv("ISOCORTEX_HOME", str(folder))
        with open_store() as store:
            fill_store(store)
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # a request waits here until the server answers
        server = uvicorn.Server(uvicorn.Config(create_app(), log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=Path("/usr/bin/chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("path", PATHS)
def test_pages_fit_and_can_be_read(
    address: str, chromium: Any, path: str, width: int, scheme: str
) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5] == []
    assert complaints == []
    page.close()


def test_the_form_works_without_javascript(address: str, chromium: Any) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.goto(address)
    page.select_option("select[name=learning_rule]", "hebbian")
    page.click("button")
    names = page.locator("tbody th.name").all_inner_texts()
    assert names == ["family/hebb"]
    page.click("tbody th.name a")
    assert page.locator("h1").inner_text() == "family/hebb"
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
