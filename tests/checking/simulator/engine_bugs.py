"""Bugs that are planted in the engine: what the text was, what it becomes, and which rule breaks in which saga."""

from __future__ import annotations

from typing import Final, NamedTuple


class Bug(NamedTuple):
    """A patch, and what is to be found.

    Attributes:
        name: what the author did.
        where: ``module:function`` or ``module:Class.method``, of `amends.engine` where its name is not whole.
        old: text that stands in it once.
        new: what it becomes.
        scenario: of `sagas.SCENARIOS`.
        rule: the number of the rule that it breaks.
        seeds: within so many it is found.
        first: the first of them; one shortly before that which finds it, where that takes long.
    """

    name: str
    where: str
    old: str
    new: str
    scenario: str
    rule: str
    seeds: int = 300
    first: int = 1


FAILED = "        except (StoreError, _Spoilt):\n            raise\n"
LOST = "for said in (*run_out.lost, *run_out.overdue):"
BUGS: Final = [
    # --- what is committed ---
    Bug("requests go out that are not committed", "batch:BatchRunner._attempted", FAILED,
        "        except StoreError:\n"
        "            flights, asked = self._committed.in_flight, work.effects.requests\n"
        "            sent = flights.take_off(work.runs(), asked, work.now_ms)[:2]\n"
        "            return BatchResult(None, replies, *sent)\n", "outside", "P5"),
    Bug("a full disk is taken for a commit", "batch:BatchRunner._attempted", FAILED,
        "        except StoreError:\n            return BatchResult(None, replies)\n", "shop", "V28"),
    Bug("a commit of which nobody knows is retried blindly", "batch:BatchRunner.run",
        "except StoreConflict as conflict:",
        "except (StoreConflict, StoreFailed) as conflict:", "shop", "V16"),
    Bug("the due time is not stored", "commits:_sagas", "due_of(run, now_ms)", "2**62", "outside", "V08"),
    Bug("the due time is that of the last member", "in_flight:due_of", "return min([", "return max([",
        "trip", "V08"),
    Bug("a record that changes nothing is left out", "unit_of_work:UnitOfWork._note", "if isinstance(effect, Write):",
        "if isinstance(effect, Write) and effect.changes:", "outside", "V14"),
    Bug("the last record waits for the next commit", "recording:Recording.block", "*self._lines))",
        "*(self._lines[:-1] or self._lines)))", "shop", "V15"),
    Bug("a block does not hash its last record", "recording:Recording.block", "head_after(head.head, records)",
        'head_after(head.head, records.rpartition("\\n")[0])', "shop", "V15"),
    Bug("a value has the digest of another", "recording:Recording.block", "digests(salts_of(seed, len(texts)), texts)",
        "digests(salts_of(seed, len(texts)), texts[::-1])", "shop", "V15"),
    Bug("a key is stored apart from its saga", "commits:commit_of", "tuple(work.keys.new.values())",
        "tuple(key for key in work.keys.new.values() if not key.saga_id)", "shop", "V15"),
    Bug("a key stands for whatever is asked", "tasks:_begun", "digest_of(codec.saga.name, request)",
        'digest_of(codec.saga.name, "")', "shop", "V16"),
    Bug("rows are not counted up", "commits:_sagas", "version += 1", "version = 1", "outside", "P16"),
    Bug("a saga that ends is not counted", "commits:_sagas", "if before:\n            counts",
        "if before and due_ms is not None:\n            counts", "outside", "V13"),
    Bug("a saga that is given up lists less than it owes", "amends.storage.codecs.sagas:body_of",
        "list(run.outstanding())", "list(run.outstanding())[1:]", "moody", "V03"),
    # --- local participants ---
    Bug("what a raising decider wrote is kept", "local_participants:LocalParticipants.step",
        "        overlay.restore(touched)\n",
        "        pass\n", "shop", "V12"),
    Bug("what raised may have happened", "local_participants:LocalParticipants._answer",
        "taken_back=True", "taken_back=False", "shop", "never"),
    # --- a process after the other ---
    Bug("a restart looks at what is due alone", "due:DueSagas._left_waiting",
        "WAITS_FOR_OPERATOR - 1", "0",
        "outside", "P2"),
    Bug("a restart takes what was lost for refused", "waking:Wake.carry_out", LOST,
        "lost = [Answered(each.step, each.kind, Refused('lost')) for each in run_out.lost]\n"
        "        for said in (*lost, *run_out.overdue):", "outside", "V03"),
    Bug("a restart takes what was lost for done", "waking:Wake.carry_out", LOST,
        "from amends import Done\n"
        "        lost = [Answered(each.step, each.kind, Done()) for each in run_out.lost]\n"
        "        for said in (*lost, *run_out.overdue):", "outside", "V03"),
    Bug("a restart forgets what was lost", "waking:Wake.carry_out", LOST, "for said in run_out.overdue:",
        "outside", "P2"),
    Bug("a restart sends what was lost as if it never had been", "owned_shards:OwnedShards.since_ms",
        "else self.not_before_ms", "else 0",
        "outside", "P2"),
    Bug("a restart believes the clock of the process before", "waking:Wake.carry_out", "if settling is not loaded.run:",
        "if False:", "mended", "V03", first=230),
    Bug("what was taken counts as lost", "in_flight:InFlight.run_out", " or waiting.taken)", ")",
        "mended", "P5"),
    Bug("a request that was held back is forgotten", "in_flight:due_of", "if waiting.at_ms > now_ms or step.is_local",
        "if step.is_local", "outside", "V08"),
    # --- answers and time ---
    Bug("what a saga asked before it turned back is sent", "in_flight:InFlight._after", "elif is_futile:",
        "elif False:", "together", "V07"),
    Bug("what has found a place is sent although its saga turned back", "in_flight:InFlight._after",
        "if attempt_id in requests and not is_futile:", "if attempt_id in requests:", "mended", "V07", first=21),
    Bug("late answers are dropped", "unit_of_work:UnitOfWork.hear", "        run, effects = self.participants.step(",
        "        if isinstance(said, Answered) and said.attempt and not any(\n"
        "            each.attempt == said.attempt for each in loaded.run.waiting\n        ):\n"
        "            return loaded.run\n        run, effects = self.participants.step(", "outside", "P5"),
    Bug("three attempts are enough", "waking:Wake.carry_out", LOST,
        "timers = [each for each in run_out.overdue if getattr(each, 'attempt', 0) < 4]\n"
        "        for said in (*run_out.lost, *timers):", "outside", "P16"),
    Bug("what goes out leaves its saga due", "waking:Wake.carry_out",
        "self.due_ms <= work.now_ms and self.saga_id not in work.sagas", "False", "outside", "P16"),
    Bug("an operator who comes second is told that it is done", "tasks:Deliver.carry_out",
        "return work.hear(loaded, self.said)",
        "told = work.hear(loaded, self.said)\n        return loaded.run if isinstance(told, Decline) else told",
        "trip", "V28", first=40),
    Bug("an operator makes an attempt of ours unknown", "amends.core.decide:_react",
        "Status.SENT if is_first else again", "again", "shop", "never", first=138),
    Bug("a person who comes too late is not told", "outside:refuse_unasked", "if step.wait is not None:", "if False:",
        "approved", "V27"),
    # --- what follows from sagas ---
    Bug("a letter is not in the commit", "commits:commit_of", "letters=(*work.acted_on,), posted=posted)",
        "letters=(*work.acted_on,))", "followed", "V29"),
    Bug("a letter is posted before its saga has completed", "children:letters_to_children",
        "for run in work.effects.ended.values()",
        "for loaded in work.sagas.values()\n"
        "        for run in [loaded.run._replace(state=__import__('amends').Completed())]",
        "followed", "V29"),
    Bug("from a saga that was compensated follow others, too", "amends.storage.children:children_of",
        "isinstance(run.state, Completed)", "True", "followed", "V29"),
    Bug("a letter is acted on twice", "letters:ActOnLetter._acted_on", "if known is not None:", "if False:",
        "followed", "V29"),
    Bug("what follows gets an id of its own each time", "letters:_begun_child", "saga_id=asked.saga_id", "saga_id=''",
        "followed", "V29"),
    # --- slots of participants ---
    Bug("what waits for its turn counts as timed out", "in_flight:InFlight.run_out",
        "and (not is_known or attempt in self.departed)", "",
        "crowd", "R24"),
    Bug("what was recalled may have happened", "waking:ReturnUnsent.carry_out",
        "Refused(why) if _was_never_sent(found) else Unknown(why)", "Unknown(why)",
        "crowd", "R24"),
    Bug("who waits for a place is forgotten", "slots:Slots._slot_held", "self._tell(SendHeldBack(attempt_id))", "pass",
        "crowd", "V09"),
    Bug("a restart forgets who waits for a place", "in_flight:InFlight._after",
        "traffic.held.append((step, attempt_id))", "pass", "crowd", "V09"),
    Bug("an overdue saga is not looked at", "due:DueSagas.page",
        "(yield from self._due(now_ms, PAGE, self._shards.all))", "[]",
        "outside", "P16"),
]  # fmt: skip
