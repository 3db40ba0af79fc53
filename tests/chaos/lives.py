"""What the processes do, in one module, which the server that forks them has loaded."""

from __future__ import annotations

from tests.chaos.client import run as run_client
from tests.chaos.engine import run as run_engine
from tests.chaos.part import run as run_part
from tests.chaos.proxy import run as run_proxy
from tests.chaos.services import run as run_services

__all__ = ["run_client", "run_engine", "run_part", "run_proxy", "run_services"]
