"""Bugs that are planted where services have stores of their own, and which rule breaks in which saga."""

from __future__ import annotations

from typing import Final

from tests.checking.simulator.engine_bugs import Bug

BUGS: Final = [
    # --- a host ---
    Bug("an answer is sent before its commit", "hosting:Hosting._answer",
        "outcomes = [outcome for part in await asyncio.gather(*map(self._call, parts)) for outcome in part]",
        "running = [asyncio.ensure_future(self._call(part)) for part in parts]\n"
        "        from amends import Done\n"
        "        outcomes = [Done() for _ in here if running]", "shop", "V31"),
    Bug("what is answered is not kept with the entity", "commits:commit_of", "tuple(work.keys.new.values())",
        "tuple(row for row in work.keys.new.values() if '/' not in row.key)", "shop", "V31"),
    Bug("a host does not look at what it has answered", "serving:_served",
        "if text is not None}", "if False}", "shop", "P16"),
    Bug("a late action finds no tombstone", "amends.core.inbox:receive", "and undo_key not in inbox:", "and True:",
        "together", "V03", first=81),
    Bug("an undo is answered as its action was", "serving:_served", "hosted.keys[kind is Kind.UNDO]", "hosted.keys[0]",
        "shop", "V31"),
    Bug("a request is acted on after its time", "serving:_served", "if request.call.deadline <= now_s:", "if False:",
        "shop", "V32"),
    Bug("what cannot be acted on blocks what is behind it", "hosting:Hosting._serve",
        "        try:\n            await self._answer(messages)\n",
        "        try:\n            if any(message.faults for message in messages):\n                return\n"
        "            await self._answer(messages)\n", "shop", "V33", first=14),
    Bug("what is parked is not told apart", "hosting:Hosting._serve",
        "[each.delivery for each in messages if not each.faults]", "[each.delivery for each in messages]",
        "shop", "V33", first=14),
    # --- a coordinator ---
    Bug("a coordinator does not ask again", "posting:Posting._send", "if left_s > 0:",
        "if left_s > 0 and send.request.call.attempt == 1:", "shop", "V09"),
    Bug("an answer to an attempt before is taken for one to the newest", "amends.core.step:_signal",
        "counts = attempt in (None, last.attempt)", "counts = True", "together", "V34", first=11),
    Bug("what is unknown counts as taken back", "posting:Posting._outcome",
        "        if isinstance(outcome, Later)",
        "        if isinstance(outcome, Unknown):\n            outcome = Unknown(outcome.error, taken_back=True)\n"
        "        if isinstance(outcome, Later)", "together", "V03", first=81),
    Bug("a refusal that is not remembered counts as a proof", "posting:Posting._said",
        "(service, answer.step) in self._forgetful", "False", "mended", "V03", first=19),
]  # fmt: skip
