"""Draw who imports whom, package by package and file by file in the core, as a Mermaid diagram.

An arrow that a way over other boxes implies is left out.

Usage: python tools/layers.py
"""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
SHOWN_BY_FILE = ("amends.core",)


def place(module: str) -> str:
    """Return the box that a module stands in: its own in the core, else its package's."""
    parts = module.split(".")
    depth = 3 if module.startswith(SHOWN_BY_FILE) else 2
    return ".".join(parts[1:depth])


def arrows() -> list[tuple[str, str]]:
    """Return each pair of boxes of which the first imports the second."""
    found = set()
    for path in sorted(SOURCE.glob("amends/**/*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        if path.name in ("__init__.py", "__main__.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("amends."):
                found.add((place(module), place(node.module or "")))
    return sorted((source, target) for source, target in found if source != target and target)


def needed(drawn: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the arrows without those that a way over other boxes implies."""
    after: dict[str, set[str]] = {}
    for source, target in drawn:
        after.setdefault(source, set()).add(target)

    def reaches(source: str, target: str) -> bool:
        return any(box == target or reaches(box, target) for box in after.get(source, ()))

    return [
        (source, target)
        for source, target in drawn
        if not any(reaches(other, target) for other in after[source] - {target})
    ]


def main() -> None:
    """Print the diagram; arrows from one box into the core go to the core as a whole."""
    into_core = (
        (source, target if source.startswith("core.") else target.split(".")[0]) for source, target in arrows()
    )
    drawn = needed(list(dict.fromkeys(into_core)))
    print("flowchart TD")
    print("  subgraph core")
    for source, target in drawn:
        if source.startswith("core.") and target.startswith("core."):
            print(f"    {source} --> {target}")
    print("  end")
    for source, target in drawn:
        if not source.startswith("core."):
            print(f"  {source} --> {target}")


if __name__ == "__main__":
    main()
