"""Models and the components they are made of."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from isocortex import ontology

from . import answers, catalogue, schemas
from .cursors import Order, next_link, page_of
from .filters import ModelQuery
from .sparse import chosen_fields, sparse
from .viewing import Opened, Viewer, Warm, json_answer

router = APIRouter(tags=["models"])

_SORTED_BY = {"name": "name", "parameters": "parameters"}


@router.get("/models", operation_id="listModels", response_model=schemas.ModelPage)
async def list_models(
    request: Request, store: Warm, viewer: Viewer, asked: Annotated[ModelQuery, Query()]
) -> Response:
    """All models, scored or not: public ones, and your own."""
    known = catalogue.known_models(store, viewer=viewer)
    test = asked.criteria(lambda: {name: one.card for name, one in known.items()}).test()
    found = [one for one in known.values() if test(one.card, _parameters(one), one.evidence)]
    order = Order.parse(asked.sort, _SORTED_BY, "name")
    names = order.names

    def key_of(one: catalogue.KnownModel) -> tuple[Any, ...]:
        return tuple(one.name if name == "name" else _parameters(one) for name in names)

    wanted = chosen_fields(asked.fields, schemas.ModelSummary)
    ordered = order.sorted(found, key_of)
    page = page_of(
        request, ordered, order, limit=asked.limit, key_at=lambda place: key_of(ordered[place])
    )
    items = sparse(map(answers.model_summary, page.items), wanted)
    return json_answer({"items": items, "next": page.next}, next_link(request, page.next))


@router.get("/models/{name:path}", operation_id="getModel")
def get_model(name: str, store: Opened, viewer: Viewer) -> schemas.Model:
    """A model with its card, versions and scores; `#` in its name is written `%23`."""
    card, model = catalogue.find_model(store, name, viewer=viewer)
    return answers.model_answer(card, model)


@router.get("/components/{axis}", operation_id="listComponents")
def list_components(axis: schemas.Axis, store: Opened, viewer: Viewer) -> schemas.TermList:
    """The terms of one axis of the ontology: what a model may be made of, and how many are."""
    counts = catalogue.term_counts(store, axis, viewer=viewer)
    return schemas.TermList(
        axis=axis,
        items=[
            schemas.Term(
                name=term.name,
                parent=term.parent,
                label=term.label,
                reference=term.reference,
                properties=term.properties,
                models=counts[term.name],
            )
            for term in ontology.terms(axis)
        ],
    )


def _parameters(one: catalogue.KnownModel) -> int | None:
    return None if one.stored is None else one.stored.parameters
