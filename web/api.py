"""The routes of the REST API about models, benchmarks and scores, below `/api/v1`."""

from typing import Final

from fastapi import APIRouter

from . import benchmarks_api, boards_api, models_api, scores_api, service_api
from .problems import RESPONSES
from .viewing import Opened as Opened

TAGS: Final = [
    {"name": "models", "description": "Networks that can be scored, and their components."},
    {"name": "benchmarks", "description": "Datasets, scorers and what they make together."},
    {"name": "scores", "description": "What benchmarks say of models."},
    {"name": "submissions", "description": "Models that were sent in, and their jobs."},
    {"name": "account", "description": "One's own account, tokens and webhooks."},
    {"name": "service", "description": "The service itself."},
]

router = APIRouter(prefix="/api/v1", responses=RESPONSES)
for each in (models_api, benchmarks_api, scores_api, boards_api, service_api):
    router.include_router(each.router)
