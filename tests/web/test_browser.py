"""The pages in Chromium: on telephone and desk, by day and night, with axe and by keyboard."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from isocortex.web.app import create_app
from tests.handed_in import served
from tests.made_up_scores import HEBBIAN, benchmark_facts, candidate_facts, fill_store, record_score

from isocortex.matrices import write_matrices
from isocortex.store import open_store

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RULES = {"light": "", "dark": "runOnly: ['cat.color']"}  # nothing but colours differs by night
RECIPE = "conv4/categorise/feedback%40cifar10%3Ashort%230"
PATHS = {
    "leaderboard": "/",
    "unfolded": "/?has=online&weight=faces~2&col=objective&col=faces&as_of=2120-01-01",
    "closed": "/?open=faces",
    "model": f"/models/{RECIPE}",
    "benchmarks": "/benchmarks",
    "benchmark": "/benchmarks/faces/IT/rsa",
    "measures": "/measures",
    "choose": "/compare",
    "compare": f"/compare?model=family/best%230&model=family/hebb&model={RECIPE}",
    "scatter": "/compare/benchmarks?x=faces/IT/rsa&y=faces/V1/rsa",
    "explore": "/explore?of=faces/IT/rsa",
    "embed": "/embed",
    "matrix": "/benchmarks/simulated/IT/rsa",
    "missing": "/models/none",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server with made-up scores, among them of a shipped network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("served")))
        with open_store() as store:
            write_matrices("simulated")
            fill_store(store)
            for seed in range(3):
                name = f"conv4/categorise/feedback@cifar10:short#{seed}"
                facts = candidate_facts(name, **HEBBIAN)
                for region in ("IT", "V1"):
                    record_score(store, facts, benchmark_facts(f"faces/{region}/rsa"), 0.2)
        with served(create_app()) as found:
            yield found


@pytest.fixture(scope="module", params=[375, 1440])
def sheet(request: pytest.FixtureRequest, chromium: Any) -> Iterator[tuple[Any, list[str], int]]:
    """A window of that width, what it complains of, and the width."""
    page = chromium.new_page(viewport={"width": request.param, "height": 900})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page, complaints, request.param
    page.close()


@pytest.mark.parametrize("name", PATHS)
def test_pages_fit_and_have_no_fault_that_axe_sees(
    address: str, sheet: tuple[Any, list[str], int], name: str
) -> None:
    page, complaints, width = sheet
    complaints.clear()
    page.goto(address + PATHS[name])
    page.evaluate(AXE)
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = page.evaluate(f"axe.run({{resultTypes: ['violations'], {rules}}})")["violations"]
        told = [(one["id"], one["nodes"][0]["html"][:200]) for one in found]
        assert told == [], (name, width, scheme)
    expected = ["status of 404"] if name == "missing" else []
    assert len(complaints) == len(expected), complaints


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
