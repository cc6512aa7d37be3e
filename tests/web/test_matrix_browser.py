"""RDMs side by side in Chromium: on telephone and desk, by day and night, with axe."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from isocortex.web.app import create_app
from tests.handed_in import served
from tests.kept_rdms import answers, record_with_rdm, stimuli
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score

from isocortex.matrices import write_matrices
from isocortex.store import open_store

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
SIX = [*(f"seen/net{number}" for number in range(5)), "seen/old"]
PATHS = {
    "compare": "/compare?model=" + "&model=".join(SIX),
    "model": "/models/seen/net0",
    "old": "/models/seen/old",
}
PICTURES = {"compare": 1 + 5, "model": 1 + 1, "old": 0}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server with the brain's RDM, five models' and one without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("served")))
        with open_store() as store:
            write_matrices("simulated")
            for seed, name in enumerate(SIX[:-1]):
                record_with_rdm(store, name, layer=answers(seed))
            old = benchmark_facts("simulated/IT/rsa", simulated=True)
            record_score(store, candidate_facts(SIX[-1]), old)
        with served(create_app()) as found:
            yield found


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("name", PATHS)
def test_rdms_fit_are_drawn_and_have_no_fault_that_axe_sees(
    address: str, chromium: Any, name: str, width: int
) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(address + PATHS[name])
    page.evaluate(AXE)
    drawn = page.locator("img.matrix").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert drawn == [len(stimuli())] * PICTURES[name]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], scheme
    assert complaints == []
    page.close()


def test_another_benchmark_is_chosen_without_javascript(address: str, chromium: Any) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.goto(address + PATHS["compare"])
    page.get_by_label("RDMs on").select_option("simulated/IT/rsa")
    page.locator("form[action='/compare#rdms'] button").click()
    assert page.url.endswith("&on=simulated%2FIT%2Frsa#rdms")
    assert page.locator("img.matrix").count() == PICTURES["compare"]
    page.close()
