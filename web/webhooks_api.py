"""Webhooks: addresses that are told what happens to one's submissions."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from isocortex.client.submission_schemas import (
    KEY,
    Webhook,
    WebhookList,
    WebhookMade,
    WebhookRequest,
)

from . import delivering
from .access import Signed
from .problems import RESPONSES
from .viewing import Opened

router = APIRouter(prefix="/api/v1", responses=RESPONSES, tags=["account"])


@router.post("/webhooks", operation_id="createWebhook", status_code=201)
def create_webhook(asked: WebhookRequest, store: Opened, account: Signed) -> WebhookMade:
    """Have an address told, from now on, what happens to your submissions.

    Each delivery is a POST of `{"webhook": …, "events": […]}`. The header `Isocortex-Signature` is
    `sha256=` and the hexadecimal HMAC-SHA256, under the secret, of `Isocortex-Timestamp`, a full
    stop and the body. What is not answered 2xx within ten seconds comes again, later and later.
    """
    delivering.reachable_address(asked.url)
    return WebhookMade.model_validate(store.webhooks.add(account.id, asked.url))


@router.get("/webhooks", operation_id="listWebhooks")
def list_webhooks(store: Opened, account: Signed) -> WebhookList:
    """Your webhooks; their secrets are not shown again."""
    own = store.webhooks.of_account(account.id)
    return WebhookList(items=[Webhook.model_validate(one) for one in own])


@router.delete("/webhooks/{key}", operation_id="deleteWebhook", status_code=204)
def delete_webhook(
    key: Annotated[str, Path(description="The webhook's key.", pattern=KEY)],
    store: Opened,
    account: Signed,
) -> Response:
    """Tell this address no more."""
    store.webhooks.remove(account.id, key)
    return Response(status_code=204)
