"""Whatever is asked of the API, it answers as its OpenAPI document says, and never breaks."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from isocortex.web.app import create_app
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.made_up_scores import fill_store

from isocortex.store import open_store

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
OPERATIONS = {
    operation["operationId"]: (method.upper(), path)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
LEFT_OUT = {"listEvents"}  # a stream that does not end
QUICK = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
STATEFUL = settings(QUICK, max_examples=6, stateful_step_count=5)


def _no_network(*_: object, **__: object) -> None:
    raise OSError("tests ask no name server")


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The application on made-up scores, where nothing is counted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("schemathesis")))
        patch.setattr(socket, "getaddrinfo", _no_network)
        for kind in ("READ", "WRITE", "SIGN_IN"):
            patch.setenv(f"ISOCORTEX_{kind}_LIMIT", "none")
        with open_store() as store:
            fill_store(store)
        app = create_app()
        yield app
        app.state.store.close()


@pytest.fixture(scope="module")
def headers(application: Any) -> dict[str, str]:
    """The credentials of an administrator."""
    accounts = application.state.store.accounts
    account = accounts.create("keeper", role="admin")
    secret, _ = accounts.make_token(account.id, "tests", ["read", "submit", "admin"], None)
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def described(application: Any) -> Any:
    """The API as its document describes it."""
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", application)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("operation", sorted(OPERATIONS.keys() - LEFT_OUT))
def test_every_answer_is_as_documented(
    described: Any, headers: dict[str, str], operation: str, mode: GenerationMode
) -> None:
    method, path = OPERATIONS[operation]
    asked = described[path][method]

    @QUICK
    @given(asked.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        # A name that is well formed may still be unknown, or a cursor of another list: 422.
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    # Some operations take nothing, so nothing can be wrong with it.
    with contextlib.suppress(*([Unsatisfiable] if mode.is_negative else [])):
        check()


def test_what_one_answer_names_can_be_asked_for(described: Any, headers: dict[str, str]) -> None:
    """Stateful: answers are followed by the links between operations."""
    machine = described.include(method="GET").as_state_machine()

    class Reader(machine):  # type: ignore[misc, valid-type]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": headers}

    Reader.run(settings=STATEFUL)
