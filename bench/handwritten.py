"""The yardstick: the contract of `ecommerce_saga_processor` as a straightforward hand-written loop.

No saga, no events, no classes: it looks ahead at which step an order fails, writes the log, and updates the
dicts of the report directly. It validates as strictly and reports as fully as the package does, and
tests/shop/test_handwritten.py holds it to the same contract. What it cannot do is everything else: a
timeout, a crash, a late answer, another saga.
"""

from __future__ import annotations

from typing import Any

STEPS = (
    ("ORDER_CREATED", "ORDER"),
    ("PAYMENT_PROCESSED", "PAYMENT"),
    ("INVENTORY_RESERVED", "INVENTORY"),
    ("ORDER_SHIPPED", "SHIPPING"),
)
UNDOS = (("ORDER_CANCELED", "ORDER"), ("PAYMENT_REFUNDED", "PAYMENT"), ("INVENTORY_RELEASED", "INVENTORY"))
STEP_OF_SERVICE = {"ORDER": 0, "PAYMENT": 1, "INVENTORY": 2, "SHIPPING": 3}
PAYMENT, INVENTORY, DONE = 1, 2, 4
ARITY = {"CREATE_CUSTOMER": 3, "ADD_PRODUCT": 4, "PLACE_ORDER": 4, "INJECT_FAILURE": 3}


def handwritten_processor(operations: Any) -> dict[str, Any]:  # noqa: ANN401
    """Carry out one batch with the count limits, and report it."""
    customers: dict[str, dict[str, Any]] = {}
    products: dict[str, dict[str, Any]] = {}
    orders: dict[str, dict[str, Any]] = {}
    log: list[dict[str, Any]] = []
    accepted, injected = read(operations)
    for entry in accepted:
        if entry[0] == "PLACE_ORDER":
            _, customer_id, product_id, quantity = entry
            if type(customer_id) is str and type(product_id) is str and is_int(quantity, 0, 1000):
                customer, product = customers.get(customer_id), products.get(product_id)
                if customer and product and len(orders) < 100:
                    order_id = f"O{len(orders) + 1:03d}"
                    failing = injected.get(order_id, DONE) if quantity else DONE
                    orders[order_id] = place(order_id, entry, customer, product, failing, log)
        elif entry[0] == "CREATE_CUSTOMER":
            _, customer_id, limit = entry
            if is_id(customer_id) and is_int(limit, 1, 1_000_000):
                if customer_id in customers:
                    customers[customer_id]["credit_limit"] = limit
                elif len(customers) < 20:
                    customers[customer_id] = {"credit_limit": limit, "credit_used": 0, "status": "ACTIVE"}
        elif entry[0] == "ADD_PRODUCT":
            _, product_id, stock, price = entry
            if is_id(product_id) and is_int(stock, 0, 10_000) and is_int(price, 1, 1_000_000):
                if product_id in products:
                    products[product_id]["stock"] = stock
                    products[product_id]["price"] = price
                elif len(products) < 50:
                    row = {"stock": stock, "reserved": 0, "price": price, "status": "AVAILABLE"}
                    products[product_id] = row
    return {"customers": customers, "products": products, "orders": orders, "saga_log": log}


def read(operations: Any) -> tuple[list[Any], dict[str, int]]:  # noqa: ANN401
    """Read everything first: the entries of the right form, and the earliest injected step of each order."""
    try:
        entries = list(operations)
    except Exception:  # noqa: BLE001 - the contract: what raises while it is read is an empty list
        entries = []
    accepted: list[Any] = []
    injected: dict[str, int] = {}
    for entry in entries:
        if (type(entry) is tuple or type(entry) is list) and entry and type(entry[0]) is str:
            if len(entry) != ARITY.get(entry[0]):
                continue
            if entry[0] != "INJECT_FAILURE":
                accepted.append(entry)
            elif type(entry[1]) is str and entry[1] in STEP_OF_SERVICE and type(entry[2]) is str:
                step = STEP_OF_SERVICE[entry[1]]
                injected[entry[2]] = min(step, injected.get(entry[2], DONE))
    return accepted, injected


def place(
    order_id: str,
    entry: Any,  # noqa: ANN401
    customer: dict[str, Any],
    product: dict[str, Any],
    failing: int,
    log: list[dict[str, Any]],
) -> dict[str, Any]:
    """Ship one order, or log what it did and undid until it was canceled."""
    _, customer_id, product_id, quantity = entry
    total = quantity * product["price"]
    if quantity > product["stock"]:
        failing = min(failing, INVENTORY)
    elif total and total > customer["credit_limit"] - customer["credit_used"]:
        failing = min(failing, PAYMENT)
    completed: list[str] = []
    undone: list[str] = []
    for event, service in STEPS[:failing]:
        completed.append(event)
        log.append({"order_id": order_id, "event": event, "service": service, "success": True, "compensation": False})
    if failing < DONE:
        event, service = STEPS[failing]
        log.append(
            {
                "order_id": order_id,
                "event": event,
                "service": service,
                "success": False,
                "compensation": False,
            }
        )
        for event, service in reversed(UNDOS[:failing]):
            undone.append(event)
            log.append(
                {
                    "order_id": order_id,
                    "event": event,
                    "service": service,
                    "success": True,
                    "compensation": True,
                }
            )
    else:
        customer["credit_used"] += total
        product["stock"] -= quantity
    return {
        "customer_id": customer_id,
        "product_id": product_id,
        "quantity": quantity,
        "total_amount": total,
        "status": "SHIPPED" if failing == DONE else "CANCELED",
        "events_completed": completed,
        "compensation_events": undone,
    }


def is_id(value: object) -> bool:
    """Say whether a value is a valid id."""
    return type(value) is str and 1 <= len(value) <= 8 and value.isprintable()


def is_int(value: object, least: int, most: int) -> bool:
    """Say whether a value is exactly an int, within its range."""
    return type(value) is int and least <= value <= most
