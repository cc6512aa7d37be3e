"""The settings of accounts and of the way here, checked when the server starts."""

import os

from isocortex.accounts import providers

from . import origins, rate_limits


def check() -> None:
    """Raise InputError for the first setting that makes no sense."""
    providers.sign_up()
    providers.configured()
    origins.public_url()
    origins.trusted_proxies(os.environ.get("ISOCORTEX_TRUSTED_PROXIES", ""))
    rate_limits.chosen_limits()
