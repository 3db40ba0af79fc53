"""Letters as tasks of the owner's turn: acted on, remembered under their ids, and removed, in one commit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from amends.core.effects import Decline
from amends.core.messages import worded
from amends.core.step import SagaInstance
from amends.engine.client_keys import SAGA, started_by
from amends.engine.left_alone import LeftAlone
from amends.engine.logger import about, log
from amends.engine.room import CommitFull
from amends.engine.saga_cache import DefinitionUnknown
from amends.engine.task import Task
from amends.engine.tasks import Deliver
from amends.engine.turn_io import NotAtHand
from amends.engine.unit_of_work import UnitOfWork
from amends.errors import RequestRefused, StoreError
from amends.exceptions import is_interrupt, raised
from amends.storage.codecs.digests import digest_of
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.codecs.values import PLAIN, opened
from amends.storage.letters import ChildAsked, StartAsked, asked_in, child_in, is_of_outbox, is_start
from amends.storage.ports import Mailbox
from amends.storage.records import ChildStarted, KeyRemembered
from amends.storage.rows import Letter


class LetterAnswer(NamedTuple):
    """What a letter came to: it was acted on, in this turn or in an earlier one, and can be removed.

    Attributes:
        answer: where the saga then stands; its id, where the letter was acted on before; or why it is refused.
    """

    answer: SagaInstance | str | RequestRefused


class StartAwaited(NamedTuple):
    """What an answer or a verb came to that overtook the letter by which its saga starts: it was not acted on yet.

    Attributes:
        saga_id: of the saga.
    """

    saga_id: str


class SagaLeftAlone(NamedTuple):
    """What an answer or a verb came to whose saga runs under a definition that is not known here: it waits.

    Attributes:
        definition: of the saga.
    """

    definition: str


@dataclass(frozen=True, slots=True)
class ActOnLetter(Task):
    """Do what a letter asks for, once.

    Attributes:
        letter: to this engine's shards.
        refusal: why it cannot be done, where a turn has found that out: it is then remembered under the letter's id.
        starts_wait: whether there may be starts that were not read: then a saga that is not there may be started yet.
    """

    letter: Letter
    refusal: str = ""
    starts_wait: bool = False

    @property
    def keys(self) -> Sequence[str]:  # type: ignore[override]  # it is read, and never written
        """The letter's id."""
        return (self.letter.letter_id,)

    @property
    def saga_id(self) -> str:
        """The saga that it is about; empty where that cannot be read."""
        try:
            return asked_in(self.letter).saga_id
        except ValueError:
            return ""

    def carry_out(self, work: UnitOfWork) -> LetterAnswer | StartAwaited | SagaLeftAlone:
        """What the letter comes to; an exception of a function of the saga's definition is remembered as a refusal."""
        try:
            return self._acted_on(work)
        except DefinitionUnknown as unknown:
            work.acted_on.pop(self.letter.letter_id, None)
            return SagaLeftAlone(unknown.definition)

    def _acted_on(self, work: UnitOfWork) -> LetterAnswer | StartAwaited:
        key = self.letter.letter_id
        if self.starts_wait and not is_start(self.letter) and work.saga(self.saga_id) is None:
            return StartAwaited(self.saga_id)
        work.acted_on[key] = None
        digest, act, starts = self._read(work)
        try:
            known = work.keys.recall(key, digest)
        except RequestRefused as refused:
            return LetterAnswer(refused)
        if known is not None:
            return LetterAnswer(started_by(known))
        try:
            run = act()
        except (NotAtHand, CommitFull, StoreError, DefinitionUnknown):
            raise
        except BaseException as error:
            if is_interrupt(error):
                raise
            return LetterAnswer(_refused(work, key, digest, error))
        row = work.keys.remember(key, digest, {SAGA: run.saga_id}, run.saga_id if starts else "")
        if not starts:
            work.record(f"client key {key}", 0, KeyRemembered(key), row.answer)
        return LetterAnswer(run)

    def _read(self, work: UnitOfWork) -> tuple[str, Callable[[], SagaInstance], bool]:
        """A digest of what is asked, what does it, and whether that starts a saga."""
        digest = digest_of("letter", self.letter.body)
        try:
            asked = asked_in(self.letter)
            if isinstance(asked, StartAsked):
                digest = asked.digest or digest
            if refusal := self.refusal or (isinstance(asked, ChildAsked) and asked.fault):
                raise RequestRefused(refusal)
            if isinstance(asked, ChildAsked):
                codec, request = _request_in(work, asked, self.letter.posted_ms)
                return digest, partial(_begun_child, work, codec, request, asked), True
            if isinstance(asked, StartAsked):
                codec, request = _request_in(work, asked)
                begin = partial(work.begin, codec, request, saga_id=asked.saga_id)
                return asked.digest or digest_of(codec.saga.name, request), begin, True
            return digest, partial(_heard, work, Deliver(asked.saga_id, asked.said())), False
        except ValueError as error:
            return digest, partial(_refuse, error), False


class LeftLetter(NamedTuple):
    """A letter that is left to an engine which knows the definition.

    Attributes:
        saga_id: of the saga that it is about.
        definition: that it runs under, or is to start under.
    """

    saga_id: str
    definition: str


class LettersToActOn:
    """The letters that an engine has read, as tasks, and what the turns made of them.

    Attributes:
        has_all: whether the last look gave every letter that waited.
    """

    def __init__(self, left_alone: LeftAlone) -> None:
        """None was read.

        Args:
            left_alone: knows which definitions the engine was given, and is told what waits under others.
        """
        self._left_alone = left_alone
        self._refusals: dict[str, str] = {}
        self._left: dict[str, LeftLetter] = {}
        self._left_sagas: dict[str, LeftLetter] = {}
        self._early: dict[str, str] = {}
        self._starts_wait = False
        self.has_all = True

    def read(
        self, mailbox: Mailbox, shards: Collection[int], limit: int, starts: int | None = None
    ) -> list[ActOnLetter]:
        """What to do in the next turn: what letters to some shards ask for.

        Args:
            mailbox: of the engine's store.
            shards: that the engine has.
            limit: so many answers and verbs at most.
            starts: so many letters that start sagas at most; by default `limit`.
        """
        inputs, starts = limit + len(self._early) + len(self._left), (starts or limit) + len(self._left)
        found = mailbox.letters(shards, inputs, starts)
        number = sum(map(is_start, found))
        self._starts_wait = number == starts
        if not self._starts_wait:
            self._early = {}
        tasks = self.tasks(found)
        self.has_all = not self._starts_wait and len(found) - number < inputs and len(tasks) <= limit + number
        if self.has_all:  # those of them that are gone, another engine acted on
            self._left = {each.letter_id: left for each in found if (left := self._left.get(each.letter_id))}
            self._left_sagas = {left.saga_id: left for left in self._left.values()}
        return tasks[: limit + number]

    def tasks(self, letters: Iterable[Letter]) -> list[ActOnLetter]:
        """What some letters ask for; starts first, as others may be for the sagas that they start.

        What is about a saga whose definition is not known is left to an engine that knows it.
        """
        starts_first = sorted(letters, key=is_start, reverse=True)
        mine = [each for each in starts_first if each.letter_id not in self._early and not self._is_left(each)]
        return [ActOnLetter(each, self._refusals.get(each.letter_id, ""), self._starts_wait) for each in mine]

    def _is_left(self, letter: Letter) -> bool:
        left = self._left.get(letter.letter_id) or self._to_leave(letter)
        if left is not None:
            self._leave(letter, left)
        return left is not None

    def _to_leave(self, letter: Letter) -> LeftLetter | None:
        """Whether a letter starts a saga under a definition that is not known, or is for one that is to start so."""
        try:
            asked = asked_in(letter)
        except ValueError:
            return None
        if isinstance(asked, StartAsked | ChildAsked):
            is_known = self._left_alone.is_known(asked.definition)
            return None if is_known else LeftLetter(asked.saga_id, asked.definition)
        return self._left_sagas.get(asked.saga_id)

    def _leave(self, letter: Letter, left: LeftLetter) -> None:
        self._left[letter.letter_id] = self._left_sagas[left.saga_id] = left
        self._left_alone.note(letter.shard, [left.definition])

    def removable(self, tasks: Sequence[ActOnLetter], replies: Sequence[Any]) -> list[str]:
        """The ids of those that were acted on. One that a turn could not carry out is refused in the next one.

        One that came before its saga started is left until that has, or no start waits any more.

        Args:
            tasks: of a turn that is committed.
            replies: of the turn, one for each.
        """
        done = list[str]()
        for task, reply in zip(tasks, replies, strict=True):
            if isinstance(reply, LetterAnswer):
                done.append(task.letter.letter_id)
                if isinstance(reply.answer, RequestRefused):
                    _say_refused(task.letter, reply.answer)
                self._refusals.pop(task.letter.letter_id, None)
            elif isinstance(reply, SagaLeftAlone):
                self._leave(task.letter, LeftLetter(task.saga_id, reply.definition))
            elif isinstance(reply, StartAwaited):
                self._early[task.letter.letter_id] = reply.saga_id
            elif isinstance(reply, Exception) and not isinstance(reply, StoreError):  # then there was no space for it
                self._refusals[task.letter.letter_id] = worded(reply)
        if self._early:
            started = {task.saga_id for task in tasks if is_start(task.letter)}
            self._early = {name: saga_id for name, saga_id in self._early.items() if saga_id not in started}
        return done


def _say_refused(letter: Letter, refused: RequestRefused) -> None:
    """Say what no caller waits for."""
    if asked := child_in(letter):
        names, extra = (asked.saga_id, asked.parent), about("a saga that follows does not start", saga=asked.saga_id)
        log.error("saga %s does not start, which follows from %s: %s", *names, refused, extra=extra)
    elif is_of_outbox(letter):
        extra = about("what came by an outbox is refused")
        log.error("what came by an outbox under the key %s is refused: %s", letter.letter_id, refused, extra=extra)


def _request_in(
    work: UnitOfWork, asked: StartAsked | ChildAsked, stored_ms: int | None = None
) -> tuple[SagaCodec, Any]:
    """The definition of a saga to start, and what it is asked for; of what a commit stored, as one of today's type."""
    codec = work.committed.definitions.by_name.get(asked.definition)
    if codec is None:
        raise RequestRefused(f"the definition {asked.definition} was not given to open()")
    text = bytes(asked.request).decode()
    if stored_ms is not None and codec.saga.prepare is None:
        return codec, opened(codec.request_stored(text, stored_ms))
    return codec, (PLAIN if codec.saga.prepare else codec.request).decode(text)


def _begun_child(work: UnitOfWork, codec: SagaCodec, request: Any, asked: ChildAsked) -> SagaInstance:
    run = work.begin(codec, request, saga_id=asked.saga_id)
    work.record(asked.saga_id, 0, ChildStarted(asked.parent))
    return run


def _heard(work: UnitOfWork, task: Deliver) -> SagaInstance:
    run = task.carry_out(work)
    if isinstance(run, Decline):
        raise RequestRefused(run.reason)
    return run


def _refuse(error: ValueError) -> SagaInstance:
    raise error if isinstance(error, RequestRefused) else RequestRefused(f"the letter cannot be read: {error}")


def _refused(work: UnitOfWork, key: str, digest: str, error: BaseException) -> RequestRefused:
    work.overlay.take_back()
    reason = worded(error) if isinstance(error, RequestRefused) else raised(error)
    work.keys.refuse(key, digest, reason)
    return RequestRefused(reason)
