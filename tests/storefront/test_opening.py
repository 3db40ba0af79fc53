"""Opening the order system on an engine, and what runs of files are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from amends.errors import RequestRefused, StoreUnusable, UnusableInput
from amends.shop.checkout import CHECKOUT, FAILING_AT
from amends.shop.outside import CHECKOUT_OUTSIDE, FAILING_OUTSIDE_AT
from amends.storefront import contents_id, open_storefront
from amends.storefront.opening import OUTSIDE_SUFFIX
from amends.storefront.runs import LOOKED_UP, current_run, run_name
from tests.storefront.storefronts import DURABLE, change, storefront_of

FILES = contents_id([b"one", b"two"])


def test_files_are_told_by_their_contents() -> None:
    """In order, and each by itself."""
    others = [[b"two", b"one"], [b"onetwo"], [b"one", b"two", b""], [b"on", b"etwo"], [b"one"], []]
    assert contents_id([b"one", b"two"]) == FILES
    assert len({FILES, *map(contents_id, others)}) == 1 + len(others)
    assert (len(FILES), set(FILES) <= set("0123456789abcdef")) == (32, True)


def test_the_same_files_are_the_same_run(tmp_path: Path) -> None:
    """Until a new one is asked for; that one goes on then."""
    runs = []
    for again in (False, False, True, False, True, False):
        with storefront_of("local in a file", tmp_path) as storefront:
            runs.append(current_run(storefront.engine, FILES, again=again))
    assert runs == [FILES, FILES, f"{FILES}#2", f"{FILES}#2", f"{FILES}#3", f"{FILES}#3"]


def test_a_new_run_may_be_the_first(tmp_path: Path) -> None:
    """Of files that never ran."""
    with storefront_of("local in a file", tmp_path) as storefront:
        assert current_run(storefront.engine, FILES, again=True) == FILES


@pytest.mark.parametrize("before", [LOOKED_UP - 1, LOOKED_UP, LOOKED_UP + 1, 3 * LOOKED_UP])
def test_many_runs_of_the_same_files(before: int, tmp_path: Path) -> None:
    """They are counted on, also past what is looked up at a time."""
    with storefront_of("local in memory", tmp_path) as storefront:
        for number in range(1, before + 1):
            assert current_run(storefront.engine, FILES, again=True) == run_name(FILES, number)
        assert current_run(storefront.engine, FILES, again=False) == run_name(FILES, before)
        assert current_run(storefront.engine, FILES, again=True) == run_name(FILES, before + 1)
        assert current_run(storefront.engine, contents_id([]), again=False) == contents_id([])


@pytest.mark.parametrize("kind", DURABLE)
def test_a_store_has_one_kind_of_participants(kind: str, tmp_path: Path) -> None:
    """An account that is kept here is not known outside, and the other way round."""
    with storefront_of(kind, tmp_path):
        pass
    with storefront_of(kind, tmp_path):
        pass
    (other,) = {*DURABLE} - {kind}
    used = kind.partition(" ")[0]
    with (
        pytest.raises(UnusableInput, match=f"go to {used} participants: --participants {used}"),
        storefront_of(other, tmp_path),
    ):
        pass


def test_a_store_is_open_once(tmp_path: Path) -> None:
    """A second one is refused in a line."""
    with (
        storefront_of("local in a file", tmp_path),
        pytest.raises(StoreUnusable),
        storefront_of("local in a file", tmp_path),
    ):
        pass


def test_a_store_that_is_refused_gets_no_books(tmp_path: Path) -> None:
    """Neither one that is none, nor one whose orders go elsewhere, nor one in a folder that is not there."""
    store, other = tmp_path / "shop.db", tmp_path / "text.db"
    other.write_text("no store")
    with open_storefront(str(store)):
        for path in (other, tmp_path / "none" / "shop.db", tmp_path, store):
            with pytest.raises(StoreUnusable), open_storefront(str(path), simulated=True):
                pass
    with pytest.raises(UnusableInput), open_storefront(str(store), simulated=True):
        pass
    assert not [*tmp_path.glob(f"**/*{OUTSIDE_SUFFIX}*"), *tmp_path.parent.glob(f"{tmp_path.name}{OUTSIDE_SUFFIX}*")]


def test_nowhere_to_keep_books(tmp_path: Path) -> None:
    """The books of the services outside need a place, too."""
    (tmp_path / "shop.db-outside").mkdir()
    with (
        pytest.raises(UnusableInput, match="no books can be kept"),
        open_storefront(str(tmp_path / "shop.db"), simulated=True),
    ):
        pass


def test_each_definition_has_a_name_of_its_own() -> None:
    """So that an order which is to fail goes on to fail after a restart."""
    sagas = [CHECKOUT, *FAILING_AT, CHECKOUT_OUTSIDE, *FAILING_OUTSIDE_AT]
    assert len({saga.name for saga in sagas}) == len(sagas)
    assert FAILING_OUTSIDE_AT[2].name == "checkout-outside failing at INVENTORY"


def test_a_damaged_entity_is_told(tmp_path: Path) -> None:
    """Nothing is carried out on what cannot be read."""
    batch = [["CREATE_CUSTOMER", "C001", 1000], ["ADD_PRODUCT", "P001", 9, 100], ["PLACE_ORDER", "C001", "P001", 1]]
    with storefront_of("local in a file", tmp_path) as storefront:
        storefront.session.process(batch)
    change(tmp_path, "UPDATE sagas SET body = '{}' WHERE id = 'O001'")
    with storefront_of("local in a file", tmp_path) as storefront:
        with pytest.raises(RequestRefused, match="saga 'O001' cannot be read"):
            storefront.session.process([["QUERY_ORDER", "O001"]])
        assert list(storefront.session.process(batch)["orders"]) == ["O002"]
