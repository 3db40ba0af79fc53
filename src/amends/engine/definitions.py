"""The definitions that an engine was opened with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from amends.core.definition import Command, Saga, Step
from amends.errors import DefinitionError
from amends.storage.codecs.sagas import EntityCodecs, SagaCodec, definition_of
from amends.storage.codecs.values import shown
from amends.storage.placing import placed


class Definitions:
    """The definitions that an engine knows, and how their sagas and entities are stored.

    Attributes:
        by_name: ``name/version/fingerprint``, as rows have it, to the definition's codec.
        entities: how entities are stored.
        have_children: whether sagas of one of them start others.
        elsewhere: the services that are asked over a wire.
        asked_elsewhere: the steps of these, each with its definition as rows have it.
    """

    def __init__(self, sagas: Iterable[Saga], commands: Iterable[Command], elsewhere: Collection[str] = ()) -> None:
        """Learn them.

        Args:
            sagas: each version that may be under way.
            commands: those whose entities have types that no step tells.
            elsewhere: the services that are asked over a wire.

        Raises:
            DefinitionError: two have the same name and version, or one cannot be stored.
        """
        self.entities = EntityCodecs()
        self.elsewhere = elsewhere
        self.asked_elsewhere: dict[Step, str] = {}
        self._given = sagas = tuple(sagas)  # found by identity
        self._codecs: dict[int, SagaCodec] = {}
        named: dict[tuple[str, int, str], Saga] = {}
        for saga in sagas:
            if named.setdefault((saga.name, saga.version, saga.fingerprint), saga) is not saga:
                raise DefinitionError(
                    f"saga {saga.name!r}: version {saga.version} is given twice; count its versions up"
                )
            codec = self._codecs[id(saga)] = SagaCodec(placed(saga, elsewhere))
            self.entities.learn_saga(codec.saga)
            steps = (step for step in codec.saga.every_step() if step.service in elsewhere)
            self.asked_elsewhere.update((step, codec.definition) for step in steps)
        for command in commands:
            self.entities.learn_command(command)
        self.entities.check()
        self.by_name = {codec.definition: codec for codec in self._codecs.values()}
        self.have_children = any(codec.saga.starts for codec in self.codecs)

    @property
    def sagas(self) -> Mapping[str, Saga]:
        """By ``name/version/fingerprint``, for those who look at what is stored."""
        return {name: codec.saga for name, codec in self.by_name.items()}

    @property
    def codecs(self) -> Collection[SagaCodec]:
        """How the sagas of each definition are stored."""
        return self._codecs.values()

    def expect_children(self) -> None:
        """See that the definitions are here of all sagas that theirs start.

        Raises:
            DefinitionError: one is not.
        """
        for codec in self.codecs:
            for child in codec.saga.starts:
                if (definition := definition_of(child.saga)) not in self.by_name:
                    raise DefinitionError(
                        f"saga {codec.saga.name!r} starts {definition}, which was not given to open(sagas=[...]): give "
                        "it, too, as whoever completes the one starts the other"
                    )

    def codec_of(self, saga: Any) -> SagaCodec:
        """How the sagas of a definition are stored.

        Raises:
            DefinitionError: the engine was not given this definition.
        """
        codec = self._codecs.get(id(saga))
        if codec is None:
            known = ", ".join(sorted(self.by_name)) or "none"
            what = (
                f"saga {saga.name!r}, version {saga.version},"
                if isinstance(saga, Saga)
                else f"{shown(saga)} is no Saga, and"
            )
            raise DefinitionError(
                f"{what} was not given in sagas=[...]: submit the very definition that was; known: {known}"
            )
        return codec
