"""What the pages docs/with-*.md show is run as their readers run it, with the frameworks that they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.project import PAGES, PYTEST, copy_of, run

DJANGO = ("manage", "test", "shop.tests")


@pytest.mark.parametrize("page", PAGES)
def test_the_tests_of_a_page_pass(page: str, tmp_path: Path) -> None:
    """Each page shows tests, which its reader copies with the rest."""
    run(copy_of(page, tmp_path), *(DJANGO if page == "with-django.md" else PYTEST))
