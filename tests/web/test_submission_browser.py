"""One model's whole way in a browser: the form, its live status, its score, the leaderboard."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from isocortex.web.app import create_app
from tests.handed_in import served, write_onnx
from tests.web.browsers import PASSWORD

pytestmark = pytest.mark.browser

BENCHMARK = "simulated/V1/rsa"


def fill_in(page: Any, file: Path) -> None:
    """The form of `tests.handed_in.onnx_form`, by hand."""
    page.fill("#model", "small")
    page.set_input_files("#file", file)
    page.fill("#preprocessing-resize", "32")
    page.fill("#preprocessing-crop", "32")
    page.fill("#layers", "rectified")
    page.fill("#card-summary", "A small random network.")
    page.fill("#card-licence", "CC0")
    chosen = {"architecture": "feedforward", "objective": "none", "diet": "none"}
    for axis, term in (chosen | {"learning_rule": "untrained"}).items():
        page.locator(f'[name="card.{axis}"]').select_option(term)
    page.locator("summary", has_text=re.compile("^simulated ")).click()
    page.check(f'[value="{BENCHMARK}"]')
    page.locator("#visibility").select_option("public")


def test_a_model_goes_from_the_form_to_the_leaderboard(
    empty_home: Path, chromium: Any, tmp_path: Path
) -> None:
    application = create_app()
    application.state.store.accounts.create("ada", password=PASSWORD)
    application.state.streams.every = 0.1
    with served(application) as address:
        page = chromium.new_page()
        faults: list[str] = []
        page.on("console", lambda told: faults.append(told.text))
        page.goto(f"{address}/submit")
        page.fill("#name", "ada")
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{address}/submit")
        fill_in(page, write_onnx(tmp_path))
        page.get_by_role("button", name="Check and submit").click()
        page.wait_for_url(re.compile("/submissions/[0-9a-z]{26}"))
        assert page.locator("td .state").inner_text() == "waiting"
        command = [sys.executable, "-m", "isocortex.cli", "worker", "--once"]
        subprocess.run(command, check=True, timeout=120, capture_output=True)
        page.locator("td .state.done").wait_for()  # told by the stream, the page is not loaded anew
        page.get_by_role("link", name="scores").click()
        assert page.locator("h1").inner_text() == "ada/small"
        assert page.get_by_role("link", name=BENCHMARK).count() > 0
        page.goto(f"{address}/")
        assert page.locator("th.name", has_text="ada/small").count() == 1
        assert faults == []
        page.close()
