"""Task type sms: one text message through an HTTP gateway.

The gateway's address belongs to the deployment (`SMS_GATEWAY_URL`), not to the flow: whoever writes flows cannot turn
this executor against other hosts.
"""

from __future__ import annotations

import os
import time
from typing import Any

import requests
from pydantic import BaseModel, ConfigDict, Field

from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.base import Call, Executor, register
from execution.executors.schema import parse
from execution.executors.sealing import sealed_error, sealed_value
from execution.executors.secrets import reveal

LONGEST_TEXT = 500


class SmsConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, description="${secret:NAME} of the gateway's token.")
    sender: str = Field(default="", max_length=11, description="Shown to the receiver.")


@register
class SmsExecutor(Executor):
    """The key travels as `Idempotency-Key`, which the gateway honours: one message however often it is tried."""

    name = "sms"
    config_model = SmsConfig
    max_threads = 8
    description = "Sends a text message."

    def __init__(self, gateway: str | None = None) -> None:
        self._gateway = gateway or os.environ.get("SMS_GATEWAY_URL", "")

    def execute(self, call: Call) -> Result:
        config, secrets = reveal(call.config)
        try:
            answer = self._sent(parse(SmsConfig, config), call)
        except Exception as error:
            # What the gateway says may quote the token.
            raise sealed_error(error, secrets) from None
        return Result(value=sealed_value(answer, secrets))

    def _sent(self, config: SmsConfig, call: Call) -> Any:
        body = {"to": call.input.get("phone"), "text": call.input.get("text"), "from": config.sender}
        self._check(body)
        left = call.deadline - time.monotonic()
        if left <= 0:
            raise TaskFailed(Sort.NEVER_SENT, "TIMEOUT", "The timeout passed before the message was sent.")
        try:
            response = requests.post(
                self._gateway,
                json=body,
                headers={"Authorization": f"Bearer {config.token}", "Idempotency-Key": call.key},
                timeout=(min(left, 5), left),
                allow_redirects=False,
            )
        except requests.ConnectTimeout as error:
            raise TaskFailed(Sort.NEVER_SENT, "SMS_UNREACHABLE", "The gateway does not answer.") from error
        except requests.ReadTimeout as error:
            raise TaskFailed(Sort.MAYBE_APPLIED, "TIMEOUT", "The gateway did not answer in time.") from error
        except requests.ConnectionError as error:
            # A connection that was refused carried nothing; one that broke may have.
            sort = Sort.NEVER_SENT if "refused" in str(error) else Sort.MAYBE_APPLIED
            raise TaskFailed(sort, "SMS_UNREACHABLE", "The gateway cannot be reached.") from error
        return _judged(response)

    def _check(self, body: dict[str, Any]) -> None:
        if not self._gateway:
            raise TaskFailed(Sort.REFUSED, "SMS_NO_GATEWAY", "SMS_GATEWAY_URL is not set where the engine runs.")
        if not str(body["to"] or "").startswith("+"):
            raise TaskFailed(Sort.REFUSED, "SMS_BAD_NUMBER", "phone: a number begins with + and its country code.")
        if not body["text"] or len(str(body["text"])) > LONGEST_TEXT:
            raise TaskFailed(Sort.REFUSED, "SMS_BAD_TEXT", f"text: 1 to {LONGEST_TEXT} characters are needed.")


def _judged(response: requests.Response) -> Any:
    if response.ok:
        return response.json()
    code, message = f"SMS_{response.status_code}", f"The gateway answered {response.status_code}: {response.text[:200]}"
    if response.status_code in (408, 429, 503):
        wait = response.headers.get("Retry-After", "")
        raise TaskFailed(Sort.REFUSED_NOW, code, message, retry_after=float(wait) if wait.isdigit() else None)
    raise TaskFailed(Sort.MAYBE_APPLIED if response.status_code >= 500 else Sort.REFUSED, code, message)
