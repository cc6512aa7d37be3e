"""The jail: where files of strangers are parsed and their networks run.

`run` starts a process that can read Python's own libraries, the files it was handed and nothing
else; that can write nothing, reach nobody and start nothing; and that ends with the block. The two
sides talk in frames of bounded size. What it holds against is told in docs/security.md.

The names below are loaded when they are first used, because the jailed side imports this package
too and needs none of them.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .channel import Channel as Channel
    from .host import Jailed as Jailed
    from .host import available as available
    from .host import run as run
    from .limits import Limits as Limits

_HOMES = {"Channel": "channel", "Jailed": "host", "Limits": "limits"}
__all__ = ["Channel", "Jailed", "Limits", "available", "run"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module(f".{_HOMES.get(name, 'host')}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
