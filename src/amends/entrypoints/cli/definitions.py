"""Loading a DEFINITION from its name: ``shop``, ``module:name`` or ``path.py:name``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from amends.core.definition import Command, Saga
from amends.errors import UnusableInput
from amends.exceptions import raised
from amends.scenario import Scenario

if TYPE_CHECKING:
    from amends.bootstrap import DeployedCode, Opening

SHOP: Final = "shop"
SCENARIOS_OF_THE_SHOP: Final = "amends.shop.scenarios"
A_SCENARIO: Final = (
    "from amends import Scenario; name = Scenario(saga, given={'SERVICE': {'id': entity}}, requests=[...])"
)
FORMS: Final = "a DEFINITION is shop, module:name or path.py:name"


def load(definition: str) -> Saga:
    """Load a definition; the module that holds it is run, as by an import.

    Args:
        definition: its name.

    Raises:
        UnusableInput: there is no such definition, or its module raised.
    """
    if definition == SHOP:
        from amends.shop import CHECKOUT

        return CHECKOUT
    home, name = parted(definition)
    return _saga_of(_module(home), home, name)


def load_module(home: str) -> tuple[list[Saga], list[Command]]:
    """Load every definition and every command that a module has, in its order.

    Args:
        home: a module, a file, or ``shop``.

    Raises:
        UnusableInput: there is no such module, it raised, or it has no definition.
    """
    if home == SHOP:
        from amends.storefront import AT_HOME, AWAY, COMMANDS

        return [*AT_HOME, *AWAY], [*COMMANDS]
    values = list(vars(_module(home.partition(":")[0])).values())
    sagas = [value for value in values if isinstance(value, Saga)]
    if not sagas:
        raise UnusableInput(f"{home}: it has no definition of a saga")
    return sagas, [value for value in values if isinstance(value, Command)]


def load_deploy(code: str) -> DeployedCode:
    """Load what an engine would be opened with; see `load_code`."""
    from amends.bootstrap import Opening

    found = load_code(code)
    return found.given if isinstance(found, Opening) else found


def load_code(code: str) -> DeployedCode | Opening:
    """Load definitions and commands, or what `amends.open` gave.

    Args:
        code: a module, a file, or ``shop``, for all definitions and commands in it; or with ``:name``, what
            `amends.open` gave, or one definition.

    Raises:
        UnusableInput: there is no such thing, or its module raised.
    """
    from amends.bootstrap import DeployedCode, Opening

    home, colon, name = code.rpartition(":")
    if not (home and colon):
        return DeployedCode(*load_module(code), {})
    module = _module(home)
    found = _named(module, home, name)
    return found if isinstance(found, Opening) else DeployedCode([_saga_of(module, home, name)], [], {})


def load_opening(engine: str) -> Opening:
    """Load what `amends.open` gave.

    Args:
        engine: its name.

    Raises:
        UnusableInput: there is no such thing, or its module raised.
    """
    from amends.bootstrap import Opening

    home, name = parted(engine)
    module = _module(home)
    found = _named(module, home, name)
    if isinstance(found, Opening):
        return found
    what = f"is no engine: {type(found).__name__}" if name in vars(module) else "does not exist"
    raise UnusableInput(f"{home}: {name!r} {what}; write there: {name} = amends.open('sqlite:///shop.db', sagas=[...])")


def load_clients(clients: str) -> Mapping[str, object]:
    """Load the clients of services.

    Args:
        clients: the name of a dict, by service.

    Raises:
        UnusableInput: there is no such thing, or its module raised.
    """
    home, name = parted(clients)
    found = _named(_module(home), home, name)
    if not isinstance(found, Mapping):
        raise UnusableInput(f"{home}: {name!r} is no dict of clients by service")
    return found


def load_scenarios(definition: str) -> dict[str, Scenario]:
    """Load what a definition is to be checked in, by name.

    Args:
        definition: names a scenario, or a saga whose scenarios stand in the same module.

    Raises:
        UnusableInput: there is no such definition or scenario, or its module raised.
    """
    if definition == SHOP:
        return _scenarios_of(load(SHOP), _module(SCENARIOS_OF_THE_SHOP))
    home, name = parted(definition)
    module = _module(home)
    if isinstance(scenario := _named(module, home, name), Scenario):
        return {name: scenario}
    scenarios = _scenarios_of(_saga_of(module, home, name), module)
    if not scenarios:
        raise UnusableInput(f"{home}: no Scenario of {name!r} stands beside it; write one: {A_SCENARIO}")
    return scenarios


def parted(definition: str) -> tuple[str, str]:
    """The module and the name in a definition that is not the shop.

    Raises:
        UnusableInput: it has another form.
    """
    home, colon, name = definition.rpartition(":")
    if not (home and colon and name):
        raise UnusableInput(f"{definition!r}: {FORMS}")
    return home, name


def _scenarios_of(saga: Saga, module: ModuleType) -> dict[str, Scenario]:
    """In the order in which the module has them."""
    found = {name: value for name, value in vars(module).items() if isinstance(value, Scenario)}
    return {name: scenario for name, scenario in found.items() if scenario.saga is saga}


def _module(home: str) -> ModuleType:
    with _guarded(home):
        return _module_of_file(Path(home)) if home.endswith(".py") else _module_of_name(home)


def _named(module: ModuleType, home: str, name: str) -> object:
    """What a module has under a name; it may make it only now (PEP 562)."""
    with _guarded(home):
        return getattr(module, name, None)


@contextmanager
def _guarded(home: str) -> Iterator[None]:
    """Turn what a user's module raises into `UnusableInput`, and keep what it prints off standard output."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UnusableInput(f"{home}: cannot be loaded: {raised(error)}") from error


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError("no such file")
    own_name = f"definition_{path.stem}"  # so that a file called re.py is not taken for Python's own
    spec = spec_from_file_location(own_name, path)
    assert spec is not None
    assert spec.loader is not None, "a file whose name ends in .py has a loader"
    sys.path.insert(0, str(path.parent.resolve()))  # as `python path.py` does: it may import its neighbours
    module = sys.modules[own_name] = module_from_spec(spec)  # dataclasses look up their module
    spec.loader.exec_module(module)
    return module


def _module_of_name(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))  # as `python -m name` does
    return import_module(name)


def _saga_of(module: ModuleType, home: str, name: str) -> Saga:
    found = _named(module, home, name)
    if isinstance(found, Saga):
        return found
    sagas = ", ".join(sorted(key for key, value in vars(module).items() if isinstance(value, Saga)))
    what = f"is no saga: {type(found).__name__}" if name in vars(module) else "does not exist"
    raise UnusableInput(f"{home}: {name!r} {what}; " + (f"it has: {sagas}" if sagas else "no name in it is a saga"))
