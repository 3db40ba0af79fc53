"""An independent, naive reading of docs/contract.md, against which the shop is compared.

It shares no code with the package and knows neither sagas nor messages: plain ifs over plain dicts, in the
order in which the contract says things. Clarity over speed; where the contract leaves a choice, it is named
in a comment that begins with "Choice:".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Report = dict[str, Any]

CUSTOMERS_MAX = 20  # newly created in one batch (contract, "Operations")
PRODUCTS_MAX = 50
ORDERS_MAX = 100

SERVICES = ("ORDER", "PAYMENT", "INVENTORY", "SHIPPING")  # in the order of their steps
EVENTS = ("ORDER_CREATED", "PAYMENT_PROCESSED", "INVENTORY_RESERVED", "ORDER_SHIPPED")
COMPENSATIONS = ("ORDER_CANCELED", "PAYMENT_REFUNDED", "INVENTORY_RELEASED")

ARGUMENTS = {
    "CREATE_CUSTOMER": 2,
    "ADD_PRODUCT": 3,
    "PLACE_ORDER": 3,
    "INJECT_FAILURE": 2,
    "QUERY_CUSTOMER": 1,
    "QUERY_ORDER": 1,
    "QUERY_PRODUCT": 1,
}


@dataclass(frozen=True)
class Remark:
    """One refusal or note: where it stands, which operation, the value that is to blame, and why."""

    index: int
    operation: str
    value: object
    kind: str


class NaiveSession:
    """One shop, many batches, with nothing but dicts.

    Args:
        limits: Whether the three count limits hold for each batch.
    """

    def __init__(self, limits: bool = False) -> None:
        self.limits = limits
        self.customers: dict[str, dict[str, Any]] = {}
        self.products: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.refusals: list[Remark] = []
        self.notes: list[Remark] = []
        self._begin()

    def _begin(self) -> None:
        """Forget what belongs to the last batch alone."""
        self.refusals, self.notes = [], []
        self.log: list[dict[str, Any]] = []
        self.new_customers = self.new_products = 0
        self.new_orders: list[str] = []
        # dicts as ordered sets: what the batch names, in the order of first naming
        self.named: dict[str, dict[str, None]] = {"customers": {}, "products": {}, "orders": {}}
        self.injected: dict[str, list[str]] = {}

    def process(self, operations: object) -> Report:
        """Carry out one batch.

        Args:
            operations: Anything at all; an iterable of tuples and lists if it means well.

        Returns:
            The report of the contract.
        """
        self._begin()
        entries = self._read(operations)
        # "INJECT_FAILURE holds for its whole batch, wherever in the list it stands"
        for entry in entries:
            if self._complaint(entry) is None and entry[0] == "INJECT_FAILURE":
                self.injected.setdefault(entry[2], []).append(entry[1])
        for index, entry in enumerate(entries):
            complaint = self._complaint(entry)
            if complaint is not None:
                value, kind = complaint
                self.refusals.append(Remark(index, name_of(entry), value, kind))
            else:
                self._carry_out(index, entry)
        for index, entry in enumerate(entries):
            if name_of(entry) == "INJECT_FAILURE" and self._complaint(entry) is None:
                self._note_injection(index, entry[2])
        self.notes.sort(key=lambda note: note.index)
        return self._report()

    def _read(self, operations: object) -> list[Any]:
        """Read the operations once, to their end; what cannot be read is an empty list and a refusal."""
        entries: list[Any] = []
        try:
            for entry in operations:  # type: ignore[attr-defined]
                entries.append(entry)  # noqa: PERF402 - list() would call __len__ too, which is not reading
        except Exception:  # noqa: BLE001 - the contract: any Exception, and no BaseException beside it
            self.refusals.append(Remark(-1, "", type(operations).__name__, "unreadable"))
            return []
        return entries

    def _complaint(self, entry: Any) -> tuple[object, str] | None:
        """Say what makes an entry unacceptable now, or None if it is accepted."""
        if type(entry) is not tuple and type(entry) is not list:
            return entry, "no tuple or list"
        if len(entry) == 0 or type(entry[0]) is not str or entry[0] not in ARGUMENTS:
            return entry, "unknown operation"
        name, arguments = entry[0], entry[1:]
        if len(arguments) != ARGUMENTS[name]:
            return entry, "number of arguments"
        if name == "CREATE_CUSTOMER":
            return self._complaint_create(*arguments)
        if name == "ADD_PRODUCT":
            return self._complaint_add(*arguments)
        if name == "PLACE_ORDER":
            return self._complaint_order(*arguments)
        if name == "INJECT_FAILURE":
            return self._complaint_inject(*arguments)
        return None if is_valid_id(arguments[0]) else (arguments[0], "id")

    def _complaint_create(self, customer_id: object, credit_limit: object) -> tuple[object, str] | None:
        if not is_valid_id(customer_id):
            return customer_id, "id"
        if not is_int_within(credit_limit, 1, 1_000_000):
            return credit_limit, "credit limit"
        if self.limits and customer_id not in self.customers and self.new_customers >= CUSTOMERS_MAX:
            return customer_id, "customers in a batch"
        return None

    def _complaint_add(self, product_id: object, stock: object, price: object) -> tuple[object, str] | None:
        if not is_valid_id(product_id):
            return product_id, "id"
        if not is_int_within(stock, 0, 10_000):
            return stock, "stock"
        if not is_int_within(price, 1, 1_000_000):
            return price, "price"
        if self.limits and product_id not in self.products and self.new_products >= PRODUCTS_MAX:
            return product_id, "products in a batch"
        return None

    def _complaint_order(self, customer_id: object, product_id: object, quantity: object) -> tuple[object, str] | None:
        if type(customer_id) is not str or customer_id not in self.customers:
            return customer_id, "unknown customer"
        if type(product_id) is not str or product_id not in self.products:
            return product_id, "unknown product"
        if not is_int_within(quantity, 0, 1000):
            return quantity, "quantity"
        if self.limits and len(self.new_orders) >= ORDERS_MAX:
            return quantity, "orders in a batch"
        return None

    def _complaint_inject(self, service: object, order_id: object) -> tuple[object, str] | None:
        if type(service) is not str or service not in SERVICES:
            return service, "unknown service"
        if type(order_id) is not str:  # any string: empty, long, unprintable ones too
            return order_id, "order id"
        return None

    def _carry_out(self, index: int, entry: Any) -> None:
        """Do what one accepted operation says."""
        name = entry[0]
        if name == "CREATE_CUSTOMER":
            self._create_customer(entry[1], entry[2])
        elif name == "ADD_PRODUCT":
            self._add_product(entry[1], entry[2], entry[3])
        elif name == "PLACE_ORDER":
            self._place_order(entry[1], entry[2], entry[3])
        elif name == "QUERY_CUSTOMER":
            self._query(index, name, "customers", self.customers, entry[1])
        elif name == "QUERY_PRODUCT":
            self._query(index, name, "products", self.products, entry[1])
        elif name == "QUERY_ORDER":
            # Choice: an order that failed at ORDER exists for a query, since "an order's entry in the report
            # is read from its saga", though ORDER never had it.
            self._query(index, name, "orders", self.orders, entry[1])

    def _create_customer(self, customer_id: str, credit_limit: int) -> None:
        self.named["customers"][customer_id] = None
        if customer_id in self.customers:  # "changes credit_limit alone: credit_used stays"
            self.customers[customer_id]["credit_limit"] = credit_limit
            return
        self.new_customers += 1
        self.customers[customer_id] = {"credit_limit": credit_limit, "credit_used": 0, "status": "ACTIVE"}

    def _add_product(self, product_id: str, stock: int, price: int) -> None:
        self.named["products"][product_id] = None
        if product_id in self.products:  # "sets stock and price: reserved stays"
            self.products[product_id]["stock"] = stock
            self.products[product_id]["price"] = price
            return
        self.new_products += 1
        self.products[product_id] = {"stock": stock, "reserved": 0, "price": price, "status": "AVAILABLE"}

    def _query(self, index: int, name: str, kind: str, entities: dict[str, dict[str, Any]], entity_id: str) -> None:
        if entity_id in entities:
            self.named[kind][entity_id] = None
        else:
            self.notes.append(Remark(index, name, entity_id, "unknown id"))

    def _place_order(self, customer_id: str, product_id: str, quantity: int) -> None:
        """Run one order from its placing to its end, step by step."""
        customer, product = self.customers[customer_id], self.products[product_id]
        order_id = f"O{len(self.orders) + 1:03d}"
        self.new_orders.append(order_id)
        self.named["orders"][order_id] = None
        self.named["customers"][customer_id] = None
        self.named["products"][product_id] = None
        total_amount = quantity * product["price"]
        short = quantity > product["stock"]
        order: dict[str, Any] = {
            "customer_id": customer_id,
            "product_id": product_id,
            "quantity": quantity,
            "total_amount": total_amount,
            "status": "PROCESSING",
            "events_completed": [],
            "compensation_events": [],
        }
        self.orders[order_id] = order

        for service, event in zip(SERVICES, EVENTS, strict=True):
            fails = quantity != 0 and service in self.injected.get(order_id, [])
            if service == "PAYMENT":
                credit_left = customer["credit_limit"] - customer["credit_used"]
                if total_amount != 0 and total_amount > credit_left and not short:
                    fails = True
            if service == "INVENTORY" and (quantity > product["stock"] or short):
                fails = True
            self._write_log(order_id, event, service, success=not fails, compensation=False)
            if fails:
                self._compensate(order_id, order, customer, product)
                return
            order["events_completed"].append(event)
            if service == "PAYMENT":
                customer["credit_used"] += total_amount
            if service == "INVENTORY":
                product["stock"] -= quantity
                product["reserved"] += quantity
        product["reserved"] -= quantity
        order["status"] = "SHIPPED"

    def _compensate(
        self, order_id: str, order: dict[str, Any], customer: dict[str, Any], product: dict[str, Any]
    ) -> None:
        """Give back what the completed steps took, the last one first."""
        for event in reversed(order["events_completed"]):
            step = EVENTS.index(event)
            if event == "INVENTORY_RESERVED":
                product["stock"] += order["quantity"]
                product["reserved"] -= order["quantity"]
            if event == "PAYMENT_PROCESSED":
                customer["credit_used"] -= order["total_amount"]
            order["compensation_events"].append(COMPENSATIONS[step])
            self._write_log(order_id, COMPENSATIONS[step], SERVICES[step], success=True, compensation=True)
        order["status"] = "CANCELED"

    def _write_log(self, order_id: str, event: str, service: str, *, success: bool, compensation: bool) -> None:
        self.log.append(
            {
                "order_id": order_id,
                "event": event,
                "service": service,
                "success": success,
                "compensation": compensation,
            }
        )

    def _note_injection(self, index: int, order_id: str) -> None:
        if order_id not in self.new_orders:
            self.notes.append(Remark(index, "INJECT_FAILURE", order_id, "matched no order"))
        elif self.orders[order_id]["quantity"] == 0:
            self.notes.append(Remark(index, "INJECT_FAILURE", order_id, "zero quantity"))

    def _report(self) -> Report:
        """Show the named entities as they are at the end of the batch, in copies."""
        return {
            "customers": {key: dict(self.customers[key]) for key in self.named["customers"]},
            "products": {key: dict(self.products[key]) for key in self.named["products"]},
            "orders": {
                key: {
                    **self.orders[key],
                    "events_completed": list(self.orders[key]["events_completed"]),
                    "compensation_events": list(self.orders[key]["compensation_events"]),
                }
                for key in self.named["orders"]
            },
            "saga_log": [dict(line) for line in self.log],
        }


def naive_processor(operations: object) -> Report:
    """Do what `ecommerce_saga_processor` does: one batch, in a new session, with the count limits."""
    return NaiveSession(limits=True).process(operations)


def is_valid_id(value: object) -> bool:
    """Say whether a value is a string of 1 to 8 code points that is printable."""
    return type(value) is str and 1 <= len(value) <= 8 and value.isprintable()


def is_int_within(value: object, least: int, most: int) -> bool:
    """Say whether a value is an int, exactly, from least to most."""
    return type(value) is int and least <= value <= most


def name_of(entry: object) -> str:
    """Return the operation that an entry says it is, or nothing where it says none.

    Choice: a name that is no operation is given as it stands, so that a person sees the typing error.
    """
    if (type(entry) is tuple or type(entry) is list) and len(entry) > 0 and type(entry[0]) is str:
        return entry[0]
    return ""
