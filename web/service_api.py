"""The service itself: whether it works, and how much it does."""

from functools import cache

from fastapi import APIRouter, Request, Response

from isocortex import __version__
from isocortex.store.opening import newest_revision

from . import schemas
from .viewing import Opened

router = APIRouter(tags=["service"])


@router.get("/health", operation_id="getHealth")
def get_health(store: Opened) -> schemas.Health:
    """Whether the store can be read."""
    return schemas.Health(
        status="ok",
        version=__version__,
        schema_revision=_schema_revision(),
        data_version=store.data_version(),
    )


@router.get(
    "/metrics",
    operation_id="getMetrics",
    response_class=Response,
    responses={200: {"description": "Prometheus' text format.", "content": {"text/plain": {}}}},
)
def get_metrics(request: Request, store: Opened) -> Response:
    """Requests and their seconds of this process, jobs by state, workers, and scores."""
    content, media_type = request.app.state.metrics.text(store)
    return Response(content, media_type=media_type)


@cache
def _schema_revision() -> str:
    return newest_revision()
