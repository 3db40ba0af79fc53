"""Where health is told, as people write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import amends
from amends import UnusableInput
from amends.health.places import HealthFile, HealthPort, taken_places


@pytest.mark.parametrize(
    ("given", "places"),
    [
        (None, []),
        (8080, [HealthPort("127.0.0.1", 8080)]),
        ("8080", [HealthPort("127.0.0.1", 8080)]),
        ("0.0.0.0:8080", [HealthPort("0.0.0.0", 8080)]),  # noqa: S104 - as a container has it
        ("[::1]:8080", [HealthPort("::1", 8080)]),
        ("./8080", [HealthFile(Path("8080"))]),
        (Path("/run/shop.json"), [HealthFile(Path("/run/shop.json"))]),
        ([8080, "shop.json"], [HealthPort("127.0.0.1", 8080), HealthFile(Path("shop.json"))]),
    ],
)
def test_a_port_or_a_file(given: Any, places: list[object]) -> None:
    """A port is of this machine alone, unless an address is named."""
    assert [*taken_places(given)] == places


@pytest.mark.parametrize("given", [0, 65536, "99999", -1, True, 3.5, "", b"8080", [[8080]], "a\0b", object()])
def test_anything_else_is_refused(given: Any) -> None:
    """In one line, before anything is opened."""
    with pytest.raises(UnusableInput, match=r"health is .*; give a port"):
        amends.open("memory:", sagas=[], health=given)


@pytest.mark.parametrize(("place", "told"), [("[::1]:80", "[::1]:80"), (80, "127.0.0.1:80"), ("a.json", "a.json")])
def test_places_are_told_as_people_write_them(place: Any, told: str) -> None:
    """In errors, for one."""
    assert str(*taken_places(place)) == told
