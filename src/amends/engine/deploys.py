"""What would become of all that waits in a store, were its engines opened with some definitions: it only reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from amends.engine.definitions import Definitions
from amends.engine.upcasting import Upcast
from amends.engine.versions import Versions
from amends.errors import DefinitionError
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.codecs.values import PLAIN
from amends.storage.letters import ChildAsked, StartAsked, start_in
from amends.storage.ports import Records
from amends.storage.rows import WAITS_FOR_OPERATOR, EntityRow, Letter, Unreadable

PAGE: Final = 500  # sagas that are read at a time, as where an engine opens
EXAMPLES_MAX: Final = 3


class DeployVerdict(StrEnum):
    """What becomes of something that waits."""

    GOES_ON = "goes on"
    IS_ORPHANED = "is orphaned"
    HAS_ANOTHER_SHAPE = "has another shape"
    IS_DAMAGED = "is damaged"


LOST: Final = frozenset((DeployVerdict.IS_ORPHANED, DeployVerdict.HAS_ANOTHER_SHAPE))
"""What the deploy would do to them; damaged they are already."""


class Foreseen(NamedTuple):
    """What would become of some of what waits.

    Attributes:
        kind: ``sagas``, ``letters`` that start sagas, or ``entities``.
        name: their definition, as ``name/version/fingerprint``, or their service.
        verdict: what becomes of them.
        number: how many there are.
        examples: ids of some.
        why: in words; empty where they go on.
    """

    kind: str
    name: str
    verdict: DeployVerdict
    number: int
    examples: Collection[str]
    why: str


class Deploy:
    """Some definitions, and a store that may be deployed to with them."""

    def __init__(self, records: Records, definitions: Definitions, upcasts: Mapping[str, Upcast]) -> None:
        """Read as what is stored.

        Args:
            records: the store, which engines may be writing to.
            definitions: those of the deploy.
            upcasts: of the deploy, by service; see `amends.open`.
        """
        self._records = records
        self._definitions = definitions
        self._versions = Versions(records, definitions.entities, upcasts)
        self._others = {name.rpartition("/")[0]: name for name in definitions.by_name}

    def foreseen(self, letters: Iterable[Letter]) -> Iterator[Foreseen]:
        """What becomes of each kind of what waits: sagas, letters that start some, entities.

        Args:
            letters: that wait at the store.
        """
        for definition in sorted({definition for definition, _ in self._records.counts()}):
            yield from _grouped("sagas", definition, self._of_sagas(definition))
        starts: dict[str, list[Letter]] = {}
        for letter in letters:
            if asked := start_in(letter):
                starts.setdefault(asked.definition, []).append(letter)
        for definition, posted in sorted(starts.items()):
            yield from _grouped("letters", definition, (self._of_letter(letter) for letter in posted))
        for service in sorted(self._definitions.entities.services()):
            yield from _grouped("entities", service, self._of_entities(service))

    # Each gives ids, each with what becomes of it, and why ----------------------------------------------------

    def _of_sagas(self, definition: str) -> Iterator[tuple[str, DeployVerdict, str]]:
        codec, after = self._definitions.by_name.get(definition), (0, "")
        if codec is not None:
            self._expect(codec)
        while page := self._records.due([definition], WAITS_FOR_OPERATOR, PAGE, after):
            ids = [saga_id for _, saga_id in page]
            if codec is None:
                yield from ((saga_id, *self._without(definition)) for saga_id in ids)
            else:
                yield from self._read(codec, ids)
            after = page[-1]

    def _expect(self, codec: SagaCodec) -> None:
        """Take in as what the sagas of a definition are stored; what is wrong with each is seen one by one."""
        for check in (self._versions.check_requests, self._versions.check_answers):
            try:
                check(codec)
            except DefinitionError:
                continue

    def _read(self, codec: SagaCodec, ids: Collection[str]) -> Iterator[tuple[str, DeployVerdict, str]]:
        for saga_id, row in self._records.sagas(ids).items():
            if isinstance(row, Unreadable):
                yield saga_id, DeployVerdict.IS_DAMAGED, row.why
            else:
                yield saga_id, *_judged(self._versions.fault_of(codec, row))

    def _without(self, definition: str) -> tuple[DeployVerdict, str]:
        """What becomes of what is of a definition that is not there."""
        if other := self._others.get(definition.rpartition("/")[0]):
            why = f"its steps are others than those of {other}; give the changed saga a version of its own, beside it"
            return DeployVerdict.HAS_ANOTHER_SHAPE, why
        return DeployVerdict.IS_ORPHANED, "no definition of that name and version is given"

    def _of_letter(self, letter: Letter) -> tuple[str, DeployVerdict, str]:
        asked = start_in(letter)
        assert asked is not None, "it was looked at before"
        codec = self._definitions.by_name.get(asked.definition)
        if codec is None:
            return letter.letter_id, *self._without(asked.definition)
        return letter.letter_id, *_judged(_fault_of(codec, asked, letter.posted_ms))

    def _of_entities(self, service: str) -> Iterator[tuple[str, DeployVerdict, str]]:
        fault = self._fault_of_service(service)
        for row in self._records.entities(service):
            if isinstance(row, EntityRow) and row.body is not None:
                yield row.entity_id, *_judged(fault)

    def _fault_of_service(self, service: str) -> str:
        try:
            self._versions.check_entities(service)
            self._versions.upcasts.try_on(service)
        except DefinitionError as error:
            return str(error)
        return ""


def is_safe(foreseen: Iterable[Foreseen]) -> bool:
    """Whether all of it goes on, but for what is damaged already."""
    return not any(each.verdict in LOST for each in foreseen)


def _judged(fault: str) -> tuple[DeployVerdict, str]:
    return (DeployVerdict.HAS_ANOTHER_SHAPE if fault else DeployVerdict.GOES_ON), fault


def _fault_of(codec: SagaCodec, asked: StartAsked | ChildAsked, posted_ms: int) -> str:
    """Why a saga could not be started by a letter; empty for nothing."""
    text = bytes(asked.request).decode()
    try:
        if isinstance(asked, ChildAsked) and codec.saga.prepare is None:
            codec.request_stored(text, posted_ms)
        else:
            (PLAIN if codec.saga.prepare else codec.request).decode(text)
    except (LookupError, TypeError, ValueError) as error:
        return str(error)
    return ""


def _grouped(kind: str, name: str, seen: Iterable[tuple[str, DeployVerdict, str]]) -> Iterator[Foreseen]:
    """What is seen of one name, together where the same becomes of it; why is said of the first."""
    found: dict[DeployVerdict, Foreseen] = {}
    for each, verdict, why in seen:
        before = found.get(verdict) or Foreseen(kind, name, verdict, 0, (), why)
        examples = (*before.examples, each) if before.number < EXAMPLES_MAX else before.examples
        found[verdict] = before._replace(number=before.number + 1, examples=examples)
    yield from found.values()
