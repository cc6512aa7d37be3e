"""`python -m isocortex.cli` is `isocortex`."""

from . import main

main()
