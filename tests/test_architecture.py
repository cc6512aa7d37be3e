"""Imports form a star, and the core has an order: who may import whom, checked on the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE_FOLDER = ROOT / "platform" / "isocortex"

CORE = (
    "errors",
    "machine",
    "settings",
    "fingerprints",
    "fetching",
    "accounts",
    "jail",
    "code_hashes",
    "ontology",
    "cards",
    "registry",
    "budgets",
    "recipes",
    "biology",
    "shipped",
    "attribution",
    "stimuli",
    "responses",
    "units",
    "geometry",
    "recordings",
    "statistics",
    "resampling",
    "inference",
    "reliability",
    "variation",
    "splits",
    "scores",
    "encoding",
    "ceilings",
    "benchmarks",
    "matrices",
    "uncertainty",
    "evaluation",
    "networks",
    "candidates",
    "training",
    "trained",
    "forward",
    "probing",
    "projection",
    "planning",
    "rows",
    "extraction",
    "caching",
    "answers",
    "store",
    "agreements",
    "runs",
    "submissions",
    "jobs",
    "client",
    "cli",
)
"""Each module imports only those before it."""

SITE = (
    "__version__",
    "accounts",
    "agreements",
    "cards",
    "client",
    "errors",
    "fingerprints",
    "jobs",
    "matrices",
    "ontology",
    "recipes",
    "registry",
    "scores",
    "settings",
    "shipped",
    "store",
    "submissions",
)
"""What the site reads of the core: cards, store and queue, never a scorer or a network."""

ENTRY_FOLDERS = (
    "scorers",
    "model_zoo",
    "model_zoo/architectures",
    "model_zoo/objectives",
    "model_zoo/learning_rules",
    "model_zoo/diets",
    "model_zoo/constraints",
    "datasets",
)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(level, module) of every import: `from . import x` is (1, "x")."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module and (node.level or node.module != "isocortex"):
                yield node.level, node.module
            else:
                stem = f"{node.module}." if node.module else ""
                yield from ((node.level, f"{stem}{alias.name}") for alias in node.names)


def core_modules() -> list[tuple[str, Path]]:
    files = [path for path in CORE_FOLDER.rglob("*.py") if path != CORE_FOLDER / "__init__.py"]
    return [(path.relative_to(CORE_FOLDER).parts[0].removesuffix(".py"), path) for path in files]


def core_imports(room: str, path: Path) -> set[str]:
    """The rooms of the core that a file of the core imports."""
    depth = len(path.relative_to(CORE_FOLDER).parts)
    found = set()
    for level, module in imported(path):
        if level == depth:
            found.add(module.partition(".")[0])
        elif level == 0 and module.startswith("isocortex."):
            found.add(module.split(".")[1])
    return found - {room, "__version__"}


def test_the_order_names_every_module_of_the_core():
    assert {room for room, _ in core_modules()} == set(CORE)


@pytest.mark.parametrize("room", CORE)
def test_a_module_imports_only_those_before_it(room):
    allowed = set(CORE[: CORE.index(room)])
    for name, path in core_modules():
        if name == room:
            assert core_imports(room, path) <= allowed, path


@pytest.mark.parametrize("folder", ENTRY_FOLDERS)
def test_entries_import_the_core_and_their_siblings_only(folder):
    for path in (ROOT / folder).glob("*.py"):
        for level, module in imported(path):
            if level:
                assert level == 1, f"{path} climbs out of its folder"
                assert module.startswith("_"), f"{path} imports the entry {module}"
            elif module.partition(".")[0] == "isocortex":
                assert module.split(".")[1] in CORE, f"{path} imports {module}"


def test_the_site_reads_cards_and_the_store_only():
    for path in (ROOT / "web").rglob("*.py"):
        for level, module in imported(path):
            if not level and module.startswith("isocortex."):
                assert module.split(".")[1] in (*SITE, "web", "__version__"), (
                    f"{path} imports {module}"
                )


def test_the_core_names_no_entry():
    """Nothing in the core imports a folder above it; the command line starts the site by name."""
    for _, path in core_modules():
        for _, module in imported(path):
            parts = module.split(".")
            assert not (parts[0] == "isocortex" and parts[1:2] and parts[1] in ENTRY_FOLDERS), path


def test_a_climbing_import_would_be_seen(tmp_path):
    path = tmp_path / "entry.py"
    path.write_text(
        "from ..model_zoo import pixels\nfrom isocortex import scorers\nimport isocortex.web\n"
    )
    assert list(imported(path)) == [
        (2, "model_zoo"),
        (0, "isocortex.scorers"),
        (0, "isocortex.web"),
    ]
