"""What the pages docs/with-*.md show is run as their readers run it, with the frameworks that they are about."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.pages.project import PAGES, PYTEST, copy_of, run
from tests.postgres import database

DJANGO = ("manage", "test", "shop.tests")


@pytest.mark.parametrize("page", PAGES)
def test_the_tests_of_a_page_pass(page: str, tmp_path: Path) -> None:
    """Each page shows tests, which its reader copies with the rest; those of a database have one of their own."""
    words = DJANGO if page.startswith("with-django") else PYTEST
    with ExitStack() as ends:
        named = {"AMENDS_DB": ends.enter_context(database())} if page.endswith("-postgres.md") else {}
        run(copy_of(page, tmp_path), *words, **named)
