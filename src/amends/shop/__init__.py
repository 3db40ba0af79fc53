"""The order system: four services that each keep their own state, and the saga that ties them together.

`ecommerce_saga_processor` and `Session` need the standard library alone.
"""

from __future__ import annotations

from amends.shop.checkout import CHECKOUT
from amends.shop.operations import Remark
from amends.shop.report import Report
from amends.shop.session import Session, ecommerce_saga_processor

__all__ = ["CHECKOUT", "Remark", "Report", "Session", "ecommerce_saga_processor"]
