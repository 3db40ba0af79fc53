"""The audit: where it ends, its blocks, and whether all of it is as it was written."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, Final

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from amends.auditing.chain import heads_text
from amends.auditing.verify import Verdict, verify
from amends.entrypoints.http.documents import TheClient
from amends.entrypoints.http.looking import ID_MAX, PAGE_MAX
from amends.entrypoints.http.problems import documented
from amends.entrypoints.http.scopes import Scope
from amends.entrypoints.http.shared import SharedLook
from amends.events.cloud_events import what_happened
from amends.storage.blocks import Contents
from amends.storage.ports import ClientRecords, Records
from amends.storage.rows import Block
from amends.storage.words import cause_in_words, changes_in_words
from amends.views.sagas import AsOf
from amends.views.search import LIMIT

VERIFIED_S: Final = 5.0  # for which a verification is given to others: it reads all there is
FINDINGS_MAX: Final = 100  # that are told; the command tells all

VerifyLook = NamedDependency[SharedLook[Verdict]]
NUMBER_MAX: Final = 2**63 - 1  # of a number in a database


@get("/audit/head", scope=Scope.audit, summary="see where the audit ends", responses=documented())
async def see_audit_head(client: TheClient) -> dict[str, Any]:
    """Where each chain ends, on one line that is to be kept elsewhere: a later verification is held to it."""
    return await client.connection.look(_heads)


def _heads(records: ClientRecords, _: AsOf) -> dict[str, Any]:
    heads = [records.head(chain) for chain in records.chains() or ("",)]
    chains = [
        {"chain": head.chain, "number": head.number, "head": head.head.hex(), "at_ms": head.at_ms} for head in heads
    ]
    return {"head": heads_text(heads), "chains": chains}


@get(
    "/audit/blocks",
    scope=Scope.audit,
    summary="read the audit",
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def read_audit(
    client: TheClient,
    chain: Annotated[str, QueryParameter(max_length=ID_MAX)] = "",
    after: Annotated[int, QueryParameter(ge=0, le=NUMBER_MAX)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = LIMIT,
) -> dict[str, Any]:
    """The blocks of a chain after a number, with what each records; `after` of the answer gives the next page."""
    return await client.connection.look(lambda records, _: _page(records, chain, after, limit))


def _page(records: Records, chain: str, after: int, limit: int) -> dict[str, Any]:
    found = list(islice(records.blocks(after, chain), limit + 1))
    here = found[:limit]
    return {"blocks": [_block(block) for block in here], "after": here[-1].number if len(found) > limit else None}


def _block(block: Block) -> dict[str, Any]:
    told = [
        {
            "saga_id": record.subject,
            **what_happened(record),
            "text": cause_in_words(record),
            "became": changes_in_words(record),
        }
        for record in Contents(block).records()
        if record
    ]
    return {
        "number": block.number,
        "at_ms": block.at_ms,
        "head": block.head.hex(),
        "before": block.before.hex(),
        "records": told,
    }


@post(
    "/audit/verify",
    scope=Scope.audit,
    status_code=HTTPStatus.OK,
    summary="verify the audit",
    responses=documented(),
)
async def verify_audit(verification: VerifyLook) -> dict[str, Any]:
    """Read all of it, and say what is not as it was written; one verification at a time serves all who ask."""
    verdict = await verification.seen()
    findings = [finding._asdict() for finding in islice(verdict.findings, FINDINGS_MAX)]
    reached = verdict.reached
    return {
        "verdict": "broken" if len(verdict.findings) else "held", "whole": verdict.is_whole, "findings": findings,
        "head": heads_text(verdict.heads.values()), "blocks": reached.blocks, "records": reached.records,
        "sagas": reached.rows, "seconds": round(reached.seconds, 3),
    }  # fmt: skip


def look_at_audit(records: ClientRecords, _: AsOf) -> Verdict:
    """Verify what is stored."""
    return verify(records)
