"""Images that users have to bring themselves, as nobody may hand them on."""

from pathlib import Path

from isocortex import settings
from isocortex.errors import InputError


def own_images(name: str, title: str, get: str) -> Path:
    """Where the user's images are. Raises InputError with how to `get` them if nothing is there."""
    path = settings.own_images(name)
    if not path.exists():
        variable = settings.own_images_variable(name)
        raise InputError(f"{title} is not at {path}; {get}, and set {variable} to root")
    return path
