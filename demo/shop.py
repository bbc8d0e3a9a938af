"""The demo flow and its first dozen of orders, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from demo.places import BASE, HOST, Place

FLOW_NAME: Final = "demo-order"
FLOW_FILE: Final = BASE / "demo" / "flows" / "demo-order.json"
# The address that the file is written with, so that it can be read and applied as it stands.
_WRITTEN: Final = f"{HOST}:8082"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    instance_id: str
    params: dict[str, Any] = field(default_factory=dict)


def definition(place: Place) -> dict[str, Any]:
    """The flow, with the inventory where this copy of the demo has it."""
    text = FLOW_FILE.read_text(encoding="utf-8").replace(_WRITTEN, f"{HOST}:{place.inventory_port}")
    flow: dict[str, Any] = json.loads(text)
    return flow


def _order(number: int, user_id: str, sku: str, quantity: int = 1) -> Order:
    order_no = f"SO-{number}"
    params = {"order_no": order_no, "user_id": user_id, "sku": sku, "quantity": quantity}
    return Order(instance_id=f"demo-{number}", params=params)


# Nine that succeed, and the three sorts of trouble that the first screen should show.
FIRST_ORDERS: Final = (
    _order(1001, "alice", "lamp"),
    _order(1002, "bob", "chair", 2),
    _order(1003, "carol", "desk"),
    _order(1004, "dave", "lamp", 4),
    _order(1005, "mallory", "chair"),  # the payment refuses it: balance too low
    _order(1006, "erin", "chair"),
    _order(1007, "frank", "teapot"),  # in back-off: the inventory says when to come back
    _order(1008, "grace", "desk", 2),
    _order(1009, "heidi", "lamp"),
    _order(1010, "ivan", "clock"),  # sold out: parked until somebody decides
    _order(1011, "judy", "chair", 6),
    _order(1012, "alice", "desk"),
)
