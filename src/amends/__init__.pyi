# The public names of the package, each listed here alone: `__init__.py` reads this file, as type checkers do.

from amends.bootstrap import connect as connect
from amends.bootstrap import open as open  # noqa: A004 - it is met as amends.open
from amends.checking.api import check as check
from amends.client.blocking import BlockingClient as BlockingClient
from amends.client.client import Client as Client
from amends.client.handle import ClientHandle as ClientHandle
from amends.core.definition import Backoff as Backoff
from amends.core.definition import Command as Command
from amends.core.definition import Saga as Saga
from amends.core.definition import Step as Step
from amends.core.definition import external as external
from amends.core.definition import local as local
from amends.core.definition import parallel as parallel
from amends.core.messages import GONE as GONE
from amends.core.messages import Abandon as Abandon
from amends.core.messages import Call as Call
from amends.core.messages import Cancel as Cancel
from amends.core.messages import Changed as Changed
from amends.core.messages import Compensate as Compensate
from amends.core.messages import Done as Done
from amends.core.messages import Kind as Kind
from amends.core.messages import Later as Later
from amends.core.messages import Refused as Refused
from amends.core.messages import Request as Request
from amends.core.messages import Resolve as Resolve
from amends.core.messages import Retry as Retry
from amends.core.messages import Undo as Undo
from amends.core.messages import Unknown as Unknown
from amends.core.state import Abandoned as Abandoned
from amends.core.state import Compensated as Compensated
from amends.core.state import Completed as Completed
from amends.core.state import NeedsOperator as NeedsOperator
from amends.core.state import Status as Status
from amends.core.step import SagaInstance as SagaInstance
from amends.engine.alone import run as run
from amends.engine.blocking import BlockingEngine as BlockingEngine
from amends.engine.engine import Engine as Engine
from amends.engine.handle import Handle as Handle
from amends.engine.handle import Result as Result
from amends.engine.transaction import Transaction as Transaction
from amends.errors import AmendsError as AmendsError
from amends.errors import DefinitionError as DefinitionError
from amends.errors import EngineMisused as EngineMisused
from amends.errors import EngineStopped as EngineStopped
from amends.errors import KeyReused as KeyReused
from amends.errors import LeaseLost as LeaseLost
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

__all__: list[str]
__version__: str
