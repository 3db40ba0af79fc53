"""The statements of a commit: one for each table that it touches, for any number of sagas."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from amends.adapters.postgres.rows import block_parameters, checksum_array, columns_of
from amends.adapters.postgres.texts import number_array, stored, text_array
from amends.storage.rows import COMPLETED, Block, Changes, EntityRow, SagaRow
from amends.storage.shards import shard_of

ADDED_UP: Final = 256
"""After so many blocks of a chain their counts become one row for each definition and status: reading all counts of an
engine then takes a few hundred rows at most, and a commit adds some and changes none."""

Row = TypeVar("Row", SagaRow, EntityRow)
EntityName = tuple[str, str]
"""A service, and an id."""


class TableWrite(NamedTuple):
    """A statement of a commit.

    Attributes:
        query: its name.
        parameters: of it.
        rows: how many it has to write; ``None`` for any number.
        refusal: what it is where it writes another number.
    """

    query: str
    parameters: dict[str, Any]
    rows: int | None = None
    refusal: str = ""


def writes_of(changes: Changes, held: Collection[EntityName]) -> Iterator[TableWrite]:
    """What a commit writes, in the order in which it is written: its block first, which is the fence.

    Each is made when it is asked for, so that the server works on one while the next is made.

    Args:
        changes: all of it.
        held: entities that do not exist, and whose names the transaction has made already.
    """
    yield from _chains(changes)
    yield from _sagas(changes)
    yield from _entities(changes.entities, held)
    yield from _keys(changes)
    yield from _rest(changes)


def names_of(entities: Collection[EntityName]) -> dict[str, str]:
    """The names of entities, as a query takes them."""
    services, ids = zip(*entities, strict=True)
    return {"services": text_array(services), "ids": text_array(ids)}


def _chains(changes: Changes) -> Iterator[TableWrite]:
    own = stored(changes.block.chain)
    yield _block(changes.block)
    for fence in changes.fences:
        names = {"chain": stored(fence.chain), "own": own}
        yield _block(fence)
        yield TableWrite("end_lease", names, 1, f"engine {fence.chain!r} has no lease that ran out")
    if changes.fences:
        yield TableWrite("take_shards", {"own": own, "fenced": text_array([fence.chain for fence in changes.fences])})
    given = {shard: to for shard, to in sorted(changes.moved.items()) if to}
    free = sorted(changes.moved.keys() - given.keys())
    if given:
        engines = sorted({*given.values()})
        yield TableWrite("hold_leases", {"engines": text_array(engines)}, len(engines), f"one of {engines} is gone")
        moved = {"shards": number_array([*given]), "engines": text_array([*given.values()]), "own": own}
        yield TableWrite("give_shards", moved, len(given), _not_own(given))
    if free:
        yield TableWrite("free_shards", {"shards": number_array(free), "own": own}, len(free), _not_own(free))


def _not_own(shards: object) -> str:
    return f"a shard is another engine's, of {shards}"


def _block(block: Block) -> TableWrite:
    refusal = f"block {block.number} of {block.chain!r} does not follow the last one"
    return TableWrite("insert_block", block_parameters(block), 1, refusal)


def _sagas(changes: Changes) -> Iterator[TableWrite]:
    new, changed = _parted(changes.sagas)
    place = {"chain": stored(changes.block.chain), "number": changes.block.number}
    if new:
        yield TableWrite("insert_sagas", {**columns_of(new), **place})
    if changed:
        refusal = "a saga is not the one that its change was decided on"
        yield TableWrite("update_sagas", columns_of(changed), len(changed), refusal)
    last = {row.saga_id: row for row in (*new, *changed)}
    stands = sorted(row.saga_id for row in last.values() if row.status != COMPLETED or row.due_ms is not None)
    if stands:
        shards = number_array([shard_of(saga_id) for saga_id in stands])
        yield TableWrite("put_standings", {"ids": text_array(stands), "shards": shards})
    over = {row.saga_id for row in changed}.difference(stands).union(row.saga_id for row in changes.gone)
    if over:
        yield TableWrite("remove_standings", {"ids": text_array(sorted(over))})
    if changes.gone:
        ids, number = text_array([row.saga_id for row in changes.gone]), len(changes.gone)
        yield TableWrite("keep_first_blocks", {"ids": ids})
        gone = {"ids": ids, "checksums": checksum_array(changes.gone)}
        yield TableWrite("delete_sagas", gone, number, "a saga is not what was archived")


def _entities(rows: Sequence[EntityRow], held: Collection[EntityName]) -> Iterator[TableWrite]:
    new, changed = _parted(rows)
    refusal = "an entity is not the one that its change was decided on"
    if names := {(row.service, row.entity_id) for row in new}.difference(held):
        yield TableWrite("hold_entities", names_of(sorted(names)), len(names), refusal)
    if new:
        yield TableWrite("insert_entities", columns_of(new), len(new), refusal)
    if changed:
        yield TableWrite("update_entities", columns_of(changed), len(changed), refusal)


def _keys(changes: Changes) -> Iterator[TableWrite]:
    if changes.keys:
        yield TableWrite("insert_keys", columns_of(changes.keys), len(changes.keys), "a client key is there already")
    if changes.gone_keys:
        keys = text_array([row.key for row in changes.gone_keys])
        gone = {"keys": keys, "checksums": checksum_array(changes.gone_keys)}
        yield TableWrite("delete_keys", gone, len(changes.gone_keys), "a client key is not what was archived")


def _rest(changes: Changes) -> Iterator[TableWrite]:
    block = changes.block
    place = {"chain": stored(block.chain), "number": block.number}
    for chain in (block, *changes.fences):
        if chain.subjects:
            about = {"chain": stored(chain.chain), "number": chain.number, "at_ms": chain.at_ms}
            yield TableWrite("insert_subjects", {"subjects": text_array([*chain.subjects]), **about})
    if changes.counts:
        definitions, statuses = zip(*changes.counts, strict=True)
        names = {"definitions": text_array(definitions), "statuses": text_array(statuses)}
        yield TableWrite("insert_counts", {**names, "sagas": number_array([*changes.counts.values()]), **place})
    if block.number % ADDED_UP == 0:
        yield TableWrite("add_up_counts", {**place, "since": block.number - ADDED_UP - 1})
    if changes.set_aside:
        yield TableWrite("insert_set_aside", columns_of(changes.set_aside))
    if changes.shapes:
        yield TableWrite("put_shapes", columns_of([*{row[:3]: row for row in changes.shapes}.values()]))
    if changes.letters:
        yield TableWrite("delete_letters", {"ids": text_array(changes.letters)})
    if changes.posted:
        yield TableWrite("post_letters", columns_of(changes.posted))


def _parted(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Those that are new, and those that replace a row; each in the order of the names where rows get locked."""
    return [row for row in rows if row.version == 1], sorted(row for row in rows if row.version > 1)
