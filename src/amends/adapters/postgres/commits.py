"""The statements of a commit: one for each table that it touches, whatever the number of its sagas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from amends.adapters.postgres.rows import block_parameters, checksum_array, columns_of
from amends.adapters.postgres.texts import number_array, stored, text_array
from amends.storage.rows import COMPLETED, Block, Changes, EntityRow, SagaRow
from amends.storage.shards import shard_of

ADDED_UP: Final = 256
"""After so many blocks of a chain their counts become one row for each definition and status: reading all counts of an
engine then takes a few hundred rows at most, and a commit adds some and changes none."""

Row = TypeVar("Row", SagaRow, EntityRow)


class Write(NamedTuple):
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


def writes_of(changes: Changes) -> list[Write]:
    """What a commit writes, in the order in which it is written: its block first, which is the fence."""
    return [*_chains(changes), *_sagas(changes), *_entities(changes.entities), *_keys(changes), *_rest(changes)]


def _chains(changes: Changes) -> Iterator[Write]:
    own = stored(changes.block.chain)
    yield _block(changes.block)
    for fence in changes.fences:
        names = {"chain": stored(fence.chain), "own": own}
        yield _block(fence)
        yield Write("end_lease", names, 1, f"engine {fence.chain!r} has no lease that ran out")
    if changes.fences:
        yield Write("take_shards", {"own": own, "fenced": text_array([fence.chain for fence in changes.fences])})
    given = {shard: to for shard, to in sorted(changes.moved.items()) if to}
    free = sorted(changes.moved.keys() - given.keys())
    if given:
        engines, moved = sorted({*given.values()}), {"shards": number_array([*given]), "own": own}
        yield Write("hold_leases", {"engines": text_array(engines)}, len(engines), f"an engine of {engines} is gone")
        yield Write("give_shards", {**moved, "engines": text_array([*given.values()])}, len(given), _not_own(given))
    if free:
        yield Write("free_shards", {"shards": number_array(free), "own": own}, len(free), _not_own(free))


def _not_own(shards: object) -> str:
    return f"a shard is another engine's, of {shards}"


def _block(block: Block) -> Write:
    refusal = f"block {block.number} of {block.chain!r} does not follow the last one"
    return Write("insert_block", block_parameters(block), 1, refusal)


def _sagas(changes: Changes) -> Iterator[Write]:
    new, changed = _parted(changes.sagas)
    place = {"chain": stored(changes.block.chain), "number": changes.block.number}
    if new:
        yield Write("insert_sagas", {**columns_of(new), **place})
    if changed:
        refusal = "a saga is not the one that its change was decided on"
        yield Write("update_sagas", columns_of(changed), len(changed), refusal)
    last = {row.saga_id: row for row in (*new, *changed)}
    stands = sorted(row.saga_id for row in last.values() if row.status != COMPLETED or row.due_ms is not None)
    if stands:
        shards = number_array([shard_of(saga_id) for saga_id in stands])
        yield Write("put_standings", {"ids": text_array(stands), "shards": shards})
    over = {row.saga_id for row in changed}.difference(stands).union(row.saga_id for row in changes.gone)
    if over:
        yield Write("remove_standings", {"ids": text_array(sorted(over))})
    if changes.gone:
        ids, number = text_array([row.saga_id for row in changes.gone]), len(changes.gone)
        yield Write("keep_first_blocks", {"ids": ids})
        gone = {"ids": ids, "checksums": checksum_array(changes.gone)}
        yield Write("delete_sagas", gone, number, "a saga is not what was archived")


def _entities(rows: Sequence[EntityRow]) -> Iterator[Write]:
    new, changed = _parted(rows)
    refusal = "an entity is not the one that its change was decided on"
    if new:
        yield Write("insert_entities", columns_of(new), len(new), refusal)
    if changed:
        yield Write("update_entities", columns_of(changed), len(changed), refusal)


def _keys(changes: Changes) -> Iterator[Write]:
    if changes.keys:
        yield Write("insert_keys", columns_of(changes.keys), len(changes.keys), "a client key is there already")
    if changes.gone_keys:
        keys = text_array([row.key for row in changes.gone_keys])
        gone = {"keys": keys, "checksums": checksum_array(changes.gone_keys)}
        yield Write("delete_keys", gone, len(changes.gone_keys), "a client key is not what was archived")


def _rest(changes: Changes) -> Iterator[Write]:
    block = changes.block
    place = {"chain": stored(block.chain), "number": block.number}
    for chain in (block, *changes.fences):
        if chain.subjects:
            about = {"chain": stored(chain.chain), "number": chain.number}
            yield Write("insert_subjects", {"subjects": text_array([*chain.subjects]), **about})
    if changes.counts:
        definitions, statuses = zip(*changes.counts, strict=True)
        names = {"definitions": text_array(definitions), "statuses": text_array(statuses)}
        yield Write("insert_counts", {**names, "sagas": number_array([*changes.counts.values()]), **place})
    if block.number % ADDED_UP == 0:
        yield Write("add_up_counts", {**place, "since": block.number - ADDED_UP - 1})
    if changes.set_aside:
        yield Write("insert_set_aside", columns_of(changes.set_aside))
    if changes.shapes:
        yield Write("put_shapes", columns_of([*{row[:3]: row for row in changes.shapes}.values()]))
    if changes.letters:
        yield Write("delete_letters", {"ids": text_array(changes.letters)})


def _parted(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Those that are new, and those that replace a row; each in the order of the names where rows get locked."""
    return [row for row in rows if row.version == 1], sorted(row for row in rows if row.version > 1)
