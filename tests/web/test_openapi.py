"""The committed OpenAPI document is that of the code."""

import json
from pathlib import Path
from typing import Any

import pytest
from isocortex.web.app import create_app
from isocortex.web.openapi import as_text, operations

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The document of a server without data."""
    folder = tmp_path_factory.mktemp("openapi")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(folder))
        app = create_app(f"sqlite:///{folder / 'empty.sqlite3'}")
        yield app.openapi()
        app.state.store.close()


def test_the_committed_document_is_that_of_the_code(found: Any) -> None:
    assert as_text(found) == COMMITTED.read_text(), "run `make openapi`, and look at the difference"


def test_operations_have_names_of_their_own_and_say_what_they_do(found: Any) -> None:
    listed = [operation for _, _, operation in operations(found)]
    assert len({operation["operationId"] for operation in listed}) == len(listed)
    for operation in listed:
        assert operation["tags"]
        assert operation["description"]
        assert "422" not in operation["responses"]
        for status in ("4XX", "5XX"):
            assert "application/problem+json" in operation["responses"][status]["content"]
        asked = [one for one in operation.get("parameters", []) if one["in"] == "query"]
        assert [one["name"] for one in asked if not one.get("description")] == []


def test_every_answer_has_an_example(found: Any) -> None:
    """Of each object, some field shows what it looks like; what is sent is told in the guides."""
    schemas = found["components"]["schemas"]
    bare = [
        name
        for name, schema in schemas.items()
        if schema.get("type") == "object"
        and "examples" not in json.dumps(schema)
        and not name.endswith(("Form", "Request", "Change"))
    ]
    links = [name for name in bare if "$ref" in json.dumps(schemas[name])]
    assert sorted(set(bare) - set(links)) == []
