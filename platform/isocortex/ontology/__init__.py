"""The components of a network, as terms: what Richards et al. (2019) ask us to tell apart.

Each axis is a small tree. A term has a parent (None at the root of its axis), a reference, and
properties that say how plausible it is as an account of a brain, or what it demands of the world.
Those of a learning rule follow Richards et al. 2019 and Lillicrap et al. 2020.
"""

from ..errors import UnknownNameError
from ._architectures import ARCHITECTURES
from ._diets import DIETS
from ._learning_rules import LEARNING_RULES
from ._objectives import OBJECTIVES
from ._terms import AXES as AXES
from ._terms import Axis as Axis
from ._terms import Term as Term

_TERMS = (*ARCHITECTURES, *OBJECTIVES, *LEARNING_RULES, *DIETS)


def terms(axis: Axis) -> tuple[Term, ...]:
    """All terms of one axis, parents before children."""
    return tuple(term for term in _TERMS if term.axis == axis)


def find_term(axis: Axis, name: str) -> Term:
    """The term of that name. Raises UnknownNameError with the nearest names."""
    for term in _TERMS:
        if term.axis == axis and term.name == name:
            return term
    kind = axis.replace("_", " ")
    raise UnknownNameError.among(kind, name, (term.name for term in terms(axis)))
