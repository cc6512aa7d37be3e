"""The traps of one import name over several folders, each seen to be shut."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "platform/isocortex": "isocortex",
    "scorers": "isocortex.scorers",
    "model_zoo": "isocortex.model_zoo",
    "datasets": "isocortex.datasets",
    "web": "isocortex.web",
}


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True)


def packages_of_the_tree() -> set[str]:
    found = set()
    for folder, name in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.parent.relative_to(ROOT / folder).parts
            found.add(".".join((name, *parts)))
    return found


def test_pyproject_lists_every_python_folder():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(settings["packages"]) == packages_of_the_tree()
    assert {v: k for k, v in settings["package-dir"].items()} == FOLDERS


def test_every_package_has_its_init():
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


def test_the_folder_platform_does_not_hide_the_standard_module():
    assert not (ROOT / "platform" / "__init__.py").exists()
    output = run("-c", "import platform; print(platform.python_version())")
    assert output.stdout.strip() == sys.version.split()[0]


def test_the_folder_datasets_refuses_to_pass_for_another_package():
    output = run("-c", "import datasets")
    assert output.returncode == 1
    assert "would hide the package of Hugging Face: import isocortex.datasets" in " ".join(
        output.stderr.split()
    )


def test_no_public_name_is_a_subpackage():
    import isocortex

    assert not {"scorers", "model_zoo", "datasets", "web", "cli", "store"} & set(isocortex.__all__)


def test_every_public_name_is_there_and_has_a_docstring():
    import isocortex

    for name in isocortex.__all__:
        assert getattr(isocortex, name).__doc__, name


def test_importing_isocortex_is_light():
    code = (
        "import sys, isocortex; print(len([m for m in sys.modules if m.startswith('isocortex.')]))"
    )
    assert run("-c", code).stdout.strip() == "0"


def test_the_command_line_lists_without_torch():
    code = (
        "import sys\nfrom isocortex.cli import main\nsys.argv = ['isocortex', 'models', '--json']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    assert run("-c", code).stderr.strip() == "False"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    # From a copy, because a build folder left in the tree would be packed again; and without
    # isolation, because setuptools is at hand and nothing need be fetched.
    source = tmp_path_factory.mktemp("wheel") / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "__pycache__"))
    output = run("-m", "build", "--wheel", "--no-isolation", str(source))
    assert output.returncode == 0, output.stdout + output.stderr
    return next((source / "dist").glob("*.whl"))


def test_the_wheel_holds_every_file_and_no_other(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = set()
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                relative = path.relative_to(ROOT / folder).as_posix()
                expected.add(f"{package.replace('.', '/')}/{relative}")
    assert packed == expected


def test_a_wheel_works_without_the_source(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "sys.meta_path = [f for f in sys.meta_path if '__editable__' not in repr(f)]\n"
        "import isocortex, isocortex.registry as registry\n"
        f"assert isocortex.__file__.startswith({str(tmp_path)!r}), isocortex.__file__\n"
        "print(len(registry.entries('scorer')), len(registry.entries('dataset')))"
    )
    output = run("-c", code, cwd=tmp_path)
    from isocortex import registry

    expected = f"{len(registry.entries('scorer'))} {len(registry.entries('dataset'))}"
    assert output.stdout.strip() == expected, output.stderr
