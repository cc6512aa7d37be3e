"""Networks that timm makes, which not everyone has."""

from typing import Any

from isocortex.errors import InputError, UnknownNameError


def timm_made(name: str) -> Any:
    """What timm makes of a name, with random weights and no classifier.

    Raises InputError where timm is not installed, UnknownNameError for a name it does not know.
    """
    try:
        import timm
    except ImportError:
        raise InputError(
            f"timm makes {name} and is not installed; pip install 'isocortex[timm]' brings it"
        ) from None
    if name not in timm.list_models():
        raise UnknownNameError.among("network of timm", name, timm.list_models())
    return timm.create_model(name, pretrained=False, num_classes=0)
