"""What can go wrong, as one tree.

    IsocortexError
    ├── UnknownNameError         no entry, layer, region or option bears that name
    ├── CardError                a card is not literal, lacks a fact or contradicts itself
    │   └── DuplicateEntryError  two entries bear one name
    ├── FetchError               a file could be had from nowhere
    │   ├── ChecksumError        a file came, but it is not the one that was asked for
    │   └── TooLargeError        a file is larger than may be fetched
    ├── InputError               stimuli, responses or arguments that cannot be used
    │   └── MismatchError        two inputs that do not belong together
    ├── IncompatibleError        a combination that has no meaning, such as ridge on bare RDMs
    ├── RejectedError            a submission has faults; all of them are listed
    ├── JailError                a jailed process was stopped, or jails can't be had here
    ├── AccessError              nobody is signed in, or who is may not do this
    │   └── QuotaError           more was asked for than this account may have now
    ├── ServerError              another isocortex can't be reached, or can't answer now
    └── StoreError               the database is missing, too old, too new or locked
        └── LeaseLostError       the job is somebody else's by now, or was cancelled

Every message says what came, what was expected and what to do.
"""

import difflib
from collections.abc import Iterable
from typing import ClassVar, Self


class IsocortexError(Exception):
    """The root of all errors that isocortex raises on purpose."""

    exit_status: ClassVar[int] = 1
    """What the command line returns to the shell for this kind of error."""


class UnknownNameError(IsocortexError, LookupError):
    """No entry, layer, region or option bears that name."""

    exit_status = 3

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str]) -> Self:
        """The error for `name`, with the nearest of the `known` names as a suggestion."""
        names = list(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            return cls(f"no {kind} is named {name!r}; did you mean {' or '.join(near)}?")
        shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        return cls(f"no {kind} is named {name!r}; known are: {shown or 'none'}")


class CardError(IsocortexError, ValueError):
    """A card is not literal, lacks a fact or contradicts itself."""

    exit_status = 4


class DuplicateEntryError(CardError):
    """Two entries bear one name."""


class FetchError(IsocortexError, OSError):
    """A file could be had neither from the mirror nor from its address, which is `url`."""

    exit_status = 5

    def __init__(self, text: str, *, url: str | None = None) -> None:
        self.url = url
        super().__init__(text)


class ChecksumError(FetchError):
    """A file came, but its SHA-256 is not the expected one."""

    exit_status = 6


class TooLargeError(FetchError):
    """A file is larger than may be fetched; nothing of it was kept."""


class InputError(IsocortexError, ValueError):
    """Stimuli, responses or arguments that cannot be used."""

    exit_status = 7


class MismatchError(InputError):
    """Two inputs that do not belong together, such as responses to other stimuli."""


class IncompatibleError(IsocortexError, TypeError):
    """A combination that has no meaning, such as a regression on bare dissimilarities."""

    exit_status = 8


class RejectedError(IsocortexError, ValueError):
    """A submission has faults; `faults` lists all of them, each with what to do."""

    exit_status = 10

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class JailError(IsocortexError, RuntimeError):
    """A jailed process was stopped (time, memory, a forbidden call), or jails can't be had here."""

    exit_status = 11


class AccessError(IsocortexError, PermissionError):
    """Nobody is signed in, or who is may not do this."""

    exit_status = 12


class QuotaError(AccessError):
    """More was asked for than this account may have now."""

    exit_status = 13


class ServerError(IsocortexError, ConnectionError):
    """Another isocortex can't be reached, can't answer now, or answered what can't be read."""

    exit_status = 14


class StoreError(IsocortexError, RuntimeError):
    """The database is missing, too old, too new or locked."""

    exit_status = 9


class LeaseLostError(StoreError):
    """The job is somebody else's by now, or was cancelled; what was computed is not kept."""
