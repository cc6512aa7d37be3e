"""A run says what it ran on."""

import subprocess
from pathlib import Path

from isocortex.store.environments import environment_facts, git_state


def checkout(folder: Path) -> Path:
    (folder / "platform" / "isocortex").mkdir(parents=True)
    (folder / "platform" / "isocortex" / "code.py").write_text("one = 1\n")
    who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder


def test_a_clean_checkout_is_its_commit(tmp_path: Path) -> None:
    state = git_state(checkout(tmp_path))
    assert state is not None
    assert (len(state["commit"]), state["dirty"]) == (40, False)


def test_a_changed_checkout_is_dirty(tmp_path: Path) -> None:
    (checkout(tmp_path) / "platform" / "isocortex" / "code.py").write_text("one = 2\n")
    state = git_state(tmp_path)
    assert state is not None
    assert state["dirty"] is True


def test_an_installed_package_has_no_git_state(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None


def test_facts_are_the_same_twice() -> None:
    assert environment_facts() == environment_facts()
    assert set(environment_facts()) == {
        *("packages", "python", "platform", "processor", "gpu", "git"),
    }
