"""Which library sends: one switch, `[http] client`."""

from __future__ import annotations

from execution.executors.http_client import HttpClient
from execution.executors.http_requests import RequestsClient
from execution.executors.options import HttpOptions


def http_client(options: HttpOptions) -> HttpClient | RequestsClient:
    return RequestsClient(options) if options.client == "requests" else HttpClient(options)
