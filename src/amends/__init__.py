"""Amends runs sagas, and finds the rollback that doesn't.

Public is what this module, `amends.shop`, `amends.checking` and `amends.testing` export. Names are loaded when they
are first used, so that importing one needs no package that another needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from amends.bootstrap import open as open  # noqa: A004 - it is met as amends.open
    from amends.checking.api import check as check
    from amends.core.definition import Backoff as Backoff
    from amends.core.definition import Command as Command
    from amends.core.definition import Parallel as Parallel
    from amends.core.definition import Saga as Saga
    from amends.core.definition import Step as Step
    from amends.core.definition import external as external
    from amends.core.definition import local as local
    from amends.core.definition import parallel as parallel
    from amends.core.inbox import receive as receive
    from amends.core.messages import GONE as GONE
    from amends.core.messages import Abandon as Abandon
    from amends.core.messages import Answered as Answered
    from amends.core.messages import Call as Call
    from amends.core.messages import Cancel as Cancel
    from amends.core.messages import Changed as Changed
    from amends.core.messages import Compensate as Compensate
    from amends.core.messages import DeadlinePassed as DeadlinePassed
    from amends.core.messages import Done as Done
    from amends.core.messages import Kind as Kind
    from amends.core.messages import Later as Later
    from amends.core.messages import Refused as Refused
    from amends.core.messages import Request as Request
    from amends.core.messages import Resolve as Resolve
    from amends.core.messages import Retry as Retry
    from amends.core.messages import TimedOut as TimedOut
    from amends.core.messages import Undo as Undo
    from amends.core.messages import Unknown as Unknown
    from amends.core.state import Abandoned as Abandoned
    from amends.core.state import Backward as Backward
    from amends.core.state import Compensated as Compensated
    from amends.core.state import Completed as Completed
    from amends.core.state import Debt as Debt
    from amends.core.state import Forward as Forward
    from amends.core.state import NeedsOperator as NeedsOperator
    from amends.core.state import Status as Status
    from amends.core.step import SagaInstance as SagaInstance
    from amends.core.step import start as start
    from amends.core.step import step as step
    from amends.core.straight import Entities as Entities
    from amends.core.table import Entry as Entry
    from amends.core.table import Way as Way
    from amends.core.table import first_way as first_way
    from amends.core.walk import execute as execute
    from amends.core.walk import walk as walk
    from amends.engine.alone import run as run
    from amends.engine.blocking import BlockingEngine as BlockingEngine
    from amends.engine.engine import Engine as Engine
    from amends.engine.handle import Handle as Handle
    from amends.engine.handle import Result as Result
    from amends.errors import AmendsError as AmendsError
    from amends.errors import DefinitionError as DefinitionError
    from amends.errors import EngineMisused as EngineMisused
    from amends.errors import EngineStopped as EngineStopped
    from amends.errors import KeyReused as KeyReused
    from amends.errors import OperatorNeeded as OperatorNeeded
    from amends.errors import Overloaded as Overloaded
    from amends.errors import ParticipantError as ParticipantError
    from amends.errors import RequestRefused as RequestRefused
    from amends.errors import StoreBusy as StoreBusy
    from amends.errors import StoreConflict as StoreConflict
    from amends.errors import StoreError as StoreError
    from amends.errors import StoreFailed as StoreFailed
    from amends.errors import StoreFull as StoreFull
    from amends.errors import StoreInUse as StoreInUse
    from amends.errors import StoreTooBig as StoreTooBig
    from amends.errors import StoreUnusable as StoreUnusable
    from amends.errors import UnusableInput as UnusableInput
    from amends.scenario import Scenario as Scenario

_HOMES: Final = {
    "amends.bootstrap": "open",
    "amends.checking.api": "check",
    "amends.core.definition": "Backoff Command Parallel Saga Step external local parallel",
    "amends.core.inbox": "receive",
    "amends.core.messages": (
        "GONE Abandon Answered Call Cancel Changed Compensate DeadlinePassed Done Kind Later Refused Request Resolve "
        "Retry TimedOut Undo Unknown"
    ),
    "amends.core.state": "Abandoned Backward Compensated Completed Debt Forward NeedsOperator Status",
    "amends.core.step": "SagaInstance start step",
    "amends.core.straight": "Entities",
    "amends.core.table": "Entry Way first_way",
    "amends.core.walk": "execute walk",
    "amends.engine.alone": "run",
    "amends.engine.blocking": "BlockingEngine",
    "amends.engine.handle": "Handle Result",
    "amends.engine.engine": "Engine",
    "amends.errors": (
        "AmendsError DefinitionError EngineMisused EngineStopped KeyReused OperatorNeeded Overloaded ParticipantError "
        "RequestRefused StoreBusy StoreConflict StoreError StoreFailed StoreFull StoreInUse StoreTooBig StoreUnusable "
        "UnusableInput"
    ),
    "amends.scenario": "Scenario",
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names.split()}

__version__ = "0.1.0"
__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - computed, so that a name is listed once


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'amends' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
