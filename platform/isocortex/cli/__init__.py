"""The command line: `isocortex --help`.

Every command prints a table, or with `--json` one JSON document, on standard output; progress and
errors go to standard error. The exit status is 0, that of the error (`isocortex.errors`), or 2 for
wrong usage.
"""

import sys

from ..errors import IsocortexError
from ._app import app
from ._output import print_error

# Importing a room registers its commands.
from . import accounts as _accounts  # noqa: F401  isort: skip
from . import agreement as _agreement  # noqa: F401  isort: skip
from . import database as _database  # noqa: F401  isort: skip
from . import converting as _converting  # noqa: F401  isort: skip
from . import listing as _listing  # noqa: F401  isort: skip
from . import matrices as _matrices  # noqa: F401  isort: skip
from . import parts as _parts  # noqa: F401  isort: skip
from . import planning as _planning  # noqa: F401  isort: skip
from . import queueing as _queueing  # noqa: F401  isort: skip
from . import scoring as _scoring  # noqa: F401  isort: skip
from . import serving as _serving  # noqa: F401  isort: skip
from . import study as _study  # noqa: F401  isort: skip
from . import submitting as _submitting  # noqa: F401  isort: skip
from . import training as _training  # noqa: F401  isort: skip
from . import working as _working  # noqa: F401  isort: skip

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; an isocortex error becomes one message and an exit status."""
    try:
        app()
    except IsocortexError as error:
        print_error(error)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print_error("stopped; what was scored before is stored")
        sys.exit(130)
