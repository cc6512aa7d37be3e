"""What a server says went wrong, as the error that the same mistake raises here."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx2

from ..errors import (
    AccessError,
    FetchError,
    IncompatibleError,
    InputError,
    IsocortexError,
    JailError,
    LeaseLostError,
    MismatchError,
    QuotaError,
    RejectedError,
    ServerError,
    StoreError,
    UnknownNameError,
)

_PREFIX: Final = "urn:isocortex:problem:"

ERROR_OF: Final[Mapping[str, Callable[[str], IsocortexError]]] = {
    "unknown-name": UnknownNameError,
    "not-found": UnknownNameError,
    "invalid-request": InputError,
    "invalid-input": InputError,
    "mismatch": MismatchError,
    "incompatible": IncompatibleError,
    "quota-exceeded": QuotaError,
    "not-allowed": AccessError,
    "jail-unavailable": JailError,
    "lease-lost": LeaseLostError,
    "store-unavailable": StoreError,
    "fetch-failed": FetchError,
}
"""What each kind of problem is here; the others go by their status."""

_ERROR_BY_STATUS: Final[Mapping[int, Callable[[str], IsocortexError]]] = {
    401: AccessError,
    403: AccessError,
    404: UnknownNameError,
    409: MismatchError,
    413: QuotaError,
    422: InputError,
    429: QuotaError,
}


def error_of(response: httpx2.Response) -> IsocortexError:
    """The error that an answer stands for; what no isocortex says is a ServerError."""
    problem = problem_of(response)
    if problem is None:
        return ServerError(
            f"{response.request.url} answered {response.status_code} {response.reason_phrase}, and "
            "not as an isocortex does; check the server's address"
        )
    kind = str(problem.get("type", "")).removeprefix(_PREFIX)
    detail = str(problem.get("detail") or problem.get("title") or response.status_code)
    faults = problem.get("faults")
    if kind == "rejected" or (isinstance(faults, list) and faults):
        return RejectedError(map(str, faults) if faults else [detail])
    made = ERROR_OF.get(kind) or _ERROR_BY_STATUS.get(response.status_code, ServerError)
    return made(detail)


def problem_of(response: httpx2.Response) -> Mapping[str, Any] | None:
    """The problem that an answer holds (RFC 9457), or None if it holds none."""
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        problem = response.json()
    except ValueError:
        return None
    return problem if isinstance(problem, dict) else None
