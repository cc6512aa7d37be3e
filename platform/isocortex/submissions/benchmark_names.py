"""Names of benchmarks, checked on cards alone: no data is loaded for it."""

import re
from typing import Final

from .. import registry
from ..errors import UnknownNameError
from .texts import shown

_FORM: Final = re.compile(r"[A-Za-z0-9_.#:-]+/[A-Za-z0-9_.@ +-]+/[A-Za-z0-9_.-]+")


def benchmark_fault(name: str) -> str | None:
    """What is wrong with the name of a benchmark, `dataset/region/scorer`, if anything is."""
    if len(name) > 200 or not _FORM.fullmatch(name):
        return f"{shown(name)} is no benchmark; expected dataset/region/scorer"
    dataset, region, scorer = name.split("/")
    try:
        recorded = registry.dataset_card(dataset)
        area = region.partition("@")[0]
        if area not in recorded.regions:
            raise UnknownNameError.among(f"region of {dataset}", area, recorded.regions)
        reader = registry.scorer_card(scorer)
    except UnknownNameError as error:
        return f"{name!r}: {error}"
    if recorded.recorded not in reader.accepts:
        accepted = " or ".join(reader.accepts)
        return f"{name!r}: {scorer} needs {accepted}; {dataset} holds {recorded.recorded}"
    return None
