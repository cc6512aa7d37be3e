"""Sparse fields: `?fields=name,scores` keeps these of each item, and costs only these."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel

from isocortex.errors import UnknownNameError

Fields = Annotated[
    str, Query(description="Only these fields of each item, with commas between.", max_length=1000)
]


def chosen_fields(asked: str, schema: type[BaseModel]) -> frozenset[str]:
    """The fields that are asked for, all by default. Raises UnknownNameError."""
    known = schema.model_fields
    names = [name for name in asked.split(",") if name]
    for name in names:
        if name not in known:
            raise UnknownNameError.among("field", name, known)
    return frozenset(names or known)


def sparse(items: Iterable[Mapping[str, Any]], wanted: frozenset[str]) -> list[dict[str, Any]]:
    """Each item with the wanted fields."""
    return [{name: value for name, value in item.items() if name in wanted} for item in items]
