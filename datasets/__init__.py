"""What was measured: one file a paper."""

if __name__ != "isocortex.datasets":
    raise ImportError(
        f"isocortex's folder `datasets/` was imported as {__name__!r}, where it would hide the "
        "package of Hugging Face: import isocortex.datasets, and keep the repository's root off "
        "sys.path"
    )
