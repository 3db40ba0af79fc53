"""Bugs that are planted in the core: what the text was, what it becomes, and where the check is to see it."""

from __future__ import annotations

from typing import Final, NamedTuple


class Bug(NamedTuple):
    """A patch, and what is to be found.

    Attributes:
        name: what the author did.
        file: of the core.
        old: text that stands in it once.
        new: what it becomes.
        scenario: of `sagas.SCENARIOS`.
        faults: the least number at which it is found.
        rule: the rule that it breaks.
    """

    name: str
    file: str
    old: str
    new: str
    scenario: str
    faults: int
    rule: str


START_UNDOING = "yield Marked(member, Status.PROBING if step.probe else Status.UNDOING)"
GAVE_UP = "if said is ReportedOutcome.UNKNOWN and isinstance(at, Forward) else _gave_up(saga, at, step)"
PROBE_SAID = "ReportedOutcome.FAILED, ReportedOutcome.EXPIRED):\n        return Status.PROBING"
UNDO_SAID = "return Status.UNDOING if said in (ReportedOutcome.UNKNOWN, ReportedOutcome.FAILED) else Status.STUCK"
KNOWN = "if key in inbox:"
UNDOES = "elif isinstance(acted, Done):\n        call = replace(request.call, answer=deepcopy(acted.answer))"
STUCK_BEHIND = "return Status.STUCK if status is not Status.STUCK else None"
PROBE_FOUND = "if said in YES:\n        return Status.DONE\n    if said in"
SETTLES = "at_ms = max(at_ms, last.acted_ms + milliseconds(step.settles_within_s or 0))"
UNDO_READS = "answers.get(step.event) if kind in (Kind.UNDO, Kind.UNDO_LATE) else None"
ANSWERED = "    if said in YES:\n        return Status.DONE if open_question else None"
WITHDRAWN = "    open_question = open_question or (step.wait is not None and status is Status.REFUSED)\n"
OWED = "owed = [step for group in saga.groups[: at.group] for step in group]"
LEFT = "all or nothing is left"
TWICE = "an effect happens twice"
REVERSE = "compensations run in reverse order"
NEEDLESS = "an operator is asked only when needed"
FORWARD = "from the pivot on only forward"
BACKWARD = "a saga that goes back stays on its way back"

BUGS: Final = [
    # --- what a saga decides ---
    Bug("an unknown step is forgotten", "decide", START_UNDOING, "yield Marked(member, Status.REFUSED)",
        "tickets", 1, LEFT),
    Bug("a timeout is taken for a no", "decide", GAVE_UP,
        GAVE_UP.replace("_gave_up(saga, at, step)", "Status.REFUSED"), "tickets", 1, LEFT),
    Bug("a timeout is taken for a yes", "decide", GAVE_UP,
        GAVE_UP.replace("_gave_up(saga, at, step)", "Status.DONE"), "tickets", 1, LEFT),
    Bug("compensations run in forward order", "decide",
        "        yield Entered(Backward(at.group - 1, (Status.DONE,) * len(saga.groups[at.group - 1])))",
        "        yield Entered(Backward(0, (Status.DONE,) * len(saga.groups[0])))", "order", 1, REVERSE),
    Bug("only the last step is compensated", "decide", "elif at.group == 0:",
        "elif at.group == 0 or Status.UNDONE in at.members:", "order", 1, LEFT),
    Bug("the next compensation starts before the last is confirmed", "decide",
        "if any(status not in NOTHING_LEFT", "if any(status not in {*NOTHING_LEFT, Status.UNDOING}",
        "order", 1, LEFT),
    Bug("an undo without an answer counts as done", "decide", UNDO_SAID,
        "return Status.UNDONE if said is ReportedOutcome.UNKNOWN else Status.STUCK", "order", 2, LEFT),
    Bug("a refused undo counts as done", "decide", UNDO_SAID,
        "return Status.UNDOING if said is ReportedOutcome.UNKNOWN else Status.UNDONE", "cannot_undo", 2, REVERSE),
    Bug("retries of an undo are capped", "waiting", "waiting.kind is Kind.DO and group < saga.pivot",
        "group < saga.pivot", "order", 2, NEEDLESS),
    Bug("retries behind the pivot are capped", "waiting", "waiting.kind is Kind.DO and group < saga.pivot",
        "waiting.kind is Kind.DO", "order", 1, NEEDLESS),
    Bug("a cancel is taken when the pivot is under way", "decide", "isinstance(at, Forward) and at.group < saga.pivot",
        "isinstance(at, Forward) and at.group <= saga.pivot", "order", 1, FORWARD),
    Bug("a deadline ends going back", "decide", "        case TryAgain(member, kind) if again",
        "        case Wish.TURN_BACK if isinstance(at, Backward):\n            yield Ended(Compensated())\n"
        "        case TryAgain(member, kind) if again", "late", 2, "nothing ends going back"),
    Bug("a late answer makes a saga go on again", "decide", "                yield Marked(member, marked)\n",
        "                yield Marked(member, marked)\n"
        "                if marked is Status.DONE and isinstance(at, Backward) and len(at.members) == 1:\n"
        "                    yield Entered(Forward(at.group, (Status.DONE,)))\n", "tickets", 1, BACKWARD),
    Bug("a refusal after an unknown attempt is taken for certain", "decide",
        "said is ReportedOutcome.RULED_OUT or status is Status.SENT or step.remembers_refusals", "True",
        "declined", 1, "a refusal after an unknown attempt proves nothing"),
    Bug("an unknown pivot is undone", "decide", "at.group < saga.pivot:\n        return Status.UNKNOWN",
        "at.group <= saga.pivot:\n        return Status.UNKNOWN", "pays", 1, FORWARD),
    Bug("a refused pivot waits for an operator", "decide",
        "if isinstance(at, Forward) and at.group > saga.pivot:\n        return Status.STUCK",
        "if isinstance(at, Forward) and at.group >= saga.pivot:\n        return Status.STUCK",
        "order", 1, NEEDLESS),
    Bug("a refusal behind the pivot is ignored", "decide", STUCK_BEHIND,
        "return Status.DONE", "pays_and_sends", 1, LEFT),
    Bug("a saga turns back behind the pivot", "decide", STUCK_BEHIND,
        "return Status.REFUSED", "pays_and_sends", 1, FORWARD),
    Bug("a probe that fails counts as a no", "decide", PROBE_SAID,
        PROBE_SAID.replace("return Status.PROBING", "return Status.REFUSED"), "tickets", 2, REVERSE),
    Bug("what a probe finds is not undone", "decide", PROBE_FOUND,
        PROBE_FOUND.replace("Status.DONE", "Status.UNDONE"), "tickets", 1, REVERSE),
    Bug("a group goes on when its first member is done", "decide", "elif statuses == {Status.DONE}:",
        "elif Status.DONE in statuses:", "together", 0, LEFT),
    Bug("a group is undone while a member is under way", "decide", "if WAITS_FOR_ACTION.isdisjoint(at.members):",
        "if at.members:", "together", 1, "a group is undone together"),
    Bug("a saga forgets to ask for the next group", "decide", "if statuses == {Status.PENDING}:",
        "if statuses == {Status.PENDING} and at.group != 1:", "order", 0, "every saga ends"),
    # --- what travels beside it ---
    Bug("a probe is sent too early", "waiting", SETTLES,
        "at_ms = max(at_ms, last.acted_ms)", "tickets", 2, "a probe waits until its action has settled"),
    Bug("a request is sent again with a dead key", "waiting", "return is_late or key_is_dead(step, waiting, at_ms)",
        "return is_late", "pays", 1, "nothing is sent again with a dead key"),
    Bug("answers are lost before the undo", "walk", UNDO_READS,
        "None", "receipts", 1, REVERSE),
    Bug("each attempt has a key of its own", "walk", "key_of(saga_id, step, kind), attempt",
        "key_of(saga_id, step, kind) + f'#{attempt}', attempt",
        "order", 0, "the key is the same at every attempt"),
    Bug("an answer that comes later is taken for the answer", "step",
        "if isinstance(said, Answered) and isinstance(said.outcome, Later):\n        return",
        "if isinstance(said, Answered) and isinstance(said.outcome, Later):\n"
        "        said = Answered(said.step, said.kind, Done())\n    if False:\n        return", "late", 1, REVERSE),
    Bug("an operator is told of the last step alone", "state", OWED,
        "owed = []", "cannot_undo", 2, "an operator is told what is owed"),
    Bug("an undo that an operator has asked again counts as done", "decide",
        "dict.fromkeys((Status.UNDOING, Status.STUCK), Status.UNDOING)",
        "dict.fromkeys((Status.UNDOING, Status.STUCK), Status.UNDONE)", "halted", 2, REVERSE),
    Bug("a saga that is given up forgets what it owes", "decide", "Ended(Abandoned(outstanding(saga, at)))",
        "Ended(Abandoned(()))", "halted", 1, "an operator is told what is owed"),
    Bug("the table mixes up the members of a group", "table", "way = self._ways.get(signal)",
        "signal = signal._replace(member=0) if isinstance(signal, AnswerSignal) else signal\n"
        "        way = self._ways.get(signal)", "together", 0, "every saga ends"),
    Bug("a wait that is withdrawn is still waited for", "step", "if kind is Kind.DO and (is_wait or last.unsent",
        "if kind is Kind.DO and (last.unsent", "approved", 1, "a wait is withdrawn at once"),
    Bug("a wait that is withdrawn takes a late answer", "decide", ANSWERED, WITHDRAWN + ANSWERED,
        "approved", 0, "what was withdrawn is not answered"),
    Bug("a wait is sent", "step", "if step.action is not None and _is_new", "if _is_new",
        "approved", 0, "a wait sends nothing"),
    # --- what a participant keeps ---
    Bug("the inbox forgets to drop duplicates", "inbox", KNOWN, "if False:", "order", 1, TWICE),
    Bug("the inbox leaves no tombstone", "inbox", "return {**inbox, key: answer}, after, answer",
        "return (inbox if key == undo_key and not isinstance(acted, Done) else {**inbox, key: answer}), after, answer",
        "tickets", 1, LEFT),
    Bug("the inbox does not look at its tombstones", "inbox", " and undo_key not in inbox", "",
        "tickets", 1, LEFT),
    Bug("the inbox undoes what it refused", "inbox", UNDOES,
        "elif acted:\n        call = request.call", "order", 2, "an undo happens twice"),
    Bug("the inbox undoes what never came", "inbox", UNDOES,
        "elif request.kind is Kind.UNDO:\n        call = request.call", "order", 1, "an undo happens twice"),
    Bug("the inbox forgets what it refused", "inbox", "return {**inbox, key: answer}, after, answer",
        "return (inbox if isinstance(answer, Refused) else {**inbox, key: answer}), after, answer",
        "last_seat", 2, LEFT),
]  # fmt: skip
