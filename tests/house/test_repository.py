"""What may stand in a file of the repository."""

from __future__ import annotations

import re

from tests.house.source import ROOT, files_of_the_repository

# Written in halves, so that this file does not name what it forbids.
REGISTRIES = [
    "pypi" + ".org",
    "files." + "pythonhosted",
    "registry." + "npmjs",
    "deb." + "debian",
    "index" + "-url =",
]
ELSEWHERE = ["../" + "shared", "/" + "work/", "/" + "root/", "../." + "library"]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def places_of(words: list[str]) -> list[str]:
    """Return each line of the repository that has one of the words."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {word}"
        for path in files_of_the_repository()
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1)
        for word in words
        if word in line
    ]


def test_no_file_names_a_registry() -> None:
    """Where packages come from is the business of the machine that installs them."""
    assert not places_of(REGISTRIES)


def test_no_file_points_outside() -> None:
    """A clone has everything that it speaks of."""
    assert not places_of(ELSEWHERE)


def test_links_between_documents_lead_somewhere() -> None:
    """Each relative link in a Markdown file names a file of the repository."""
    known = set(files_of_the_repository()) | {path.parent for path in files_of_the_repository()}
    dangling = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in files_of_the_repository()
        if path.suffix == ".md"
        for target in LINK.findall(path.read_text("utf-8"))
        if "://" not in target and (path.parent / target).resolve() not in known
    ]
    assert not dangling


def test_each_decision_has_a_number_of_its_own() -> None:
    """Which its title says too: others refer to it by that. One may be left out: several are worked on at once."""
    decisions = sorted(path for path in (ROOT / "docs" / "adr").glob("*.md") if path.name != "template.md")
    numbers = [path.name.partition("-")[0] for path in decisions]
    assert len(numbers) == len({*numbers})
    for path, number in zip(decisions, numbers, strict=True):
        assert path.read_text("utf-8").startswith(f"# {number}: "), path.name
