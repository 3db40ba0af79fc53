"""The answer as plain values for JSON; its keys are documented in docs/checking.md and do not change their meaning."""

from __future__ import annotations

from typing import Any, Final

from amends.checking.answer import CheckResult
from amends.checking.coverage_gaps import did_not_run, reaches
from amends.checking.explore import Counterexample, Exploration
from amends.checking.trace import Change, TraceLine, changes_between, rows_of, standing
from amends.checking.values import told
from amends.core.state import Compensated, Completed

FORM: Final = 1


def document_of(answer: CheckResult) -> dict[str, Any]:
    """One scenario's answer. It has no times, so that the same input gives the same bytes."""
    found, bound = answer.found, dict(answer.bound())
    saga = answer.scenario.saga
    return {
        "scenario": answer.name,
        "saga": {"name": saga.name, "version": saga.version, "fingerprint": saga.fingerprint},
        "verdict": answer.verdict,
        "missing": [*answer.missing],
        "bound": {
            "steps": len(found.moves.layout.steps),
            "sagas": len(found.moves.layout.ids),
            "requests": [told(request) for request in found.moves.layout.requests],
            "entities": {
                f"{service}/{key}": told(entity)
                for service, owned in answer.scenario.given.items()
                for key, entity in owned.items()
            },
            "faults": found.faults,
            "states": found.progress.states,
            "transitions": found.progress.transitions,
            "exhausted": found.exhausted,
            "cut_by": found.cut_by,
            "visited": "full value",
            "completes": reaches(found.moves.layout, Completed),
            "compensates": reaches(found.moves.layout, Compensated),
            "on_purpose": bound["on purpose"],
            "undeclared_holds": [*found.moves.layout.undeclared_holds],
            "models": {service: model.name for service, model in found.moves.layout.models.items()},
            "did_not_run": [*did_not_run(found.moves.layout)],
            "not_varied": bound["not varied"].split("; "),
            "not_covered": bound["not covered"].split("; "),
        },
        "counterexample": _counterexample(found, found.counterexample, answer) if found.counterexample else None,
    }


def _counterexample(found: Exploration, shown: Counterexample, answer: CheckResult) -> dict[str, Any]:
    layout = found.moves.layout
    first = layout.first(found.faults)
    last = shown.trace[-1].after if shown.trace else first
    return {
        "rule": shown.broken.rule,
        "text": shown.broken.text,
        "faults": sum(seen.move.cost for seen in shown.trace),
        "moves": [_move(row) for row in rows_of(layout, shown)],
        "not_as_at_the_start": [_change(change) for change in changes_between(layout, first, last)],
        "standing": [
            {"saga": saga, "step": each.event, "times": times, "outside": not each.is_local}
            for saga, each, times in standing(layout, last)
        ],
        "token": answer.token,
    }


def _move(row: TraceLine) -> dict[str, Any]:
    return {
        "number": row.number,
        "what": row.move.what,
        "saga": row.saga,
        "step": row.move.step,
        "kind": row.move.kind.value if row.move.step else "",
        "asked": row.where,
        "said": row.said,
        "late": row.is_late,
        "faults": row.move.cost,
        "aside": row.move.aside,
        "changes": [_change(change) for change in row.changes],
        "became": dict(row.became),
    }


def _change(change: Change) -> dict[str, Any]:
    parts = [{"part": part.part, "before": part.before, "after": part.after} for part in change.parts]
    return {"where": change.where, "parts": parts, "on_purpose": change.on_purpose}
