# The public names of the checker, each listed here alone: `__init__.py` reads this file, as type checkers do.

from amends.checking.adapters import adapter as adapter
from amends.checking.answer import CheckCut as CheckCut
from amends.checking.answer import CheckFailed as CheckFailed
from amends.checking.answer import CheckResult as CheckResult
from amends.checking.answer import CheckShowsTooLittle as CheckShowsTooLittle
from amends.checking.api import check as check
from amends.checking.explore import Counterexample as Counterexample
from amends.checking.explore import Exploration as Exploration
from amends.checking.explore import ExplorationProgress as ExplorationProgress
from amends.checking.explore import explore as explore
from amends.checking.models import Model as Model
from amends.checking.models import SystemReply as SystemReply
from amends.checking.models import answers_later as answers_later
from amends.checking.models import declines as declines
from amends.checking.models import forgets_keys as forgets_keys
from amends.checking.models import honours_keys as honours_keys
from amends.checking.models import keeps_inbox as keeps_inbox
from amends.checking.models import loses_replies as loses_replies
from amends.checking.models import without_keys as without_keys
from amends.checking.simulator.answer import Simulated as Simulated
from amends.checking.simulator.answer import SimulationFailed as SimulationFailed
from amends.checking.simulator.api import simulate as simulate
from amends.scenario import Scenario as Scenario
from amends.scenario import Under as Under

__all__: list[str]
