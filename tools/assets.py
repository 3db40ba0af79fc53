"""Write anew the libraries that the console's pages use: `python tools/assets.py`.

They are files of npm packages, as their makers built them, in the wheel; users need no build step and no internet. What
is taken is pinned by version and hash (`LIBRARIES`), which the tool looks at.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent.parent
VENDOR: Final = HERE / "src/amends/entrypoints/console/assets/vendor"


class Library(NamedTuple):
    """A file of an npm package.

    Attributes:
        package: with its version.
        sha512: of the package, hex digits.
        member: the file in it.
        target: what it is called here.
        rewrites: what is replaced in it: the names by which modules import each other, which browsers do not know.
    """

    package: str
    sha512: str
    member: str
    target: str
    rewrites: tuple[tuple[str, str], ...] = ()


LIBRARIES: Final = (
    Library(
        "preact@11.2.0",
        "fc77c723fecdf387ba1ab581277276f34cf798b6912620dc4af8ff03ecbfe006"
        "cb9cd0ffd549461ded6c47aa18b931b021dd273fb76a0d4f4e9cbc4c3d9ef106",
        "dist/preact.mjs",
        "preact.js",
    ),
    Library(
        "preact@11.2.0",
        "fc77c723fecdf387ba1ab581277276f34cf798b6912620dc4af8ff03ecbfe006"
        "cb9cd0ffd549461ded6c47aa18b931b021dd273fb76a0d4f4e9cbc4c3d9ef106",
        "hooks/dist/hooks.mjs",
        "hooks.js",
        rewrites=(('from"preact"', 'from"./preact.js"'),),
    ),
    Library(
        "preact@11.2.0",
        "fc77c723fecdf387ba1ab581277276f34cf798b6912620dc4af8ff03ecbfe006"
        "cb9cd0ffd549461ded6c47aa18b931b021dd273fb76a0d4f4e9cbc4c3d9ef106",
        "LICENSE",
        "preact.LICENSE",
    ),
    Library(
        "htm@3.1.1",
        "f7cdd5ca0f0dc1413b26467a3663aaa4267eb21d5b2afda2613954933956980e"
        "490f669c2a8c5de0a5716cc9b15fff399ad7dd9c399316834a720e43180bf135",
        "dist/htm.module.js",
        "htm.js",
    ),
    Library(
        "htm@3.1.1",
        "f7cdd5ca0f0dc1413b26467a3663aaa4267eb21d5b2afda2613954933956980e"
        "490f669c2a8c5de0a5716cc9b15fff399ad7dd9c399316834a720e43180bf135",
        "LICENSE",
        "htm.LICENSE",
    ),
    Library(
        "@fontsource-variable/inter@5.3.0",
        "3aea4be3cbdae093687dbf7bc3a358785f52ed6fe41cd28cd04afc0de9b99ea8"
        "b88de38bad5243a04f2d644a673099ad92f35b0751083cfc0771d905e9bd6850",
        "files/inter-latin-wght-normal.woff2",
        "inter.woff2",
    ),
    Library(
        "@fontsource-variable/inter@5.3.0",
        "3aea4be3cbdae093687dbf7bc3a358785f52ed6fe41cd28cd04afc0de9b99ea8"
        "b88de38bad5243a04f2d644a673099ad92f35b0751083cfc0771d905e9bd6850",
        "LICENSE",
        "inter.LICENSE",
    ),
    Library(
        "uplot@1.6.32",
        "2883159c6ebccefbb95d751b0b82d010f9e1c0ec41b8bc96d401eda66e882935"
        "c89a46cb824332fa369b8cb8122cc6ac36e186cd09bf7a9ded3a4c93c6989023",
        "dist/uPlot.esm.js",
        "uplot.js",
    ),
    Library(
        "uplot@1.6.32",
        "2883159c6ebccefbb95d751b0b82d010f9e1c0ec41b8bc96d401eda66e882935"
        "c89a46cb824332fa369b8cb8122cc6ac36e186cd09bf7a9ded3a4c93c6989023",
        "dist/uPlot.min.css",
        "uplot.css",
    ),
    Library(
        "uplot@1.6.32",
        "2883159c6ebccefbb95d751b0b82d010f9e1c0ec41b8bc96d401eda66e882935"
        "c89a46cb824332fa369b8cb8122cc6ac36e186cd09bf7a9ded3a4c93c6989023",
        "LICENSE",
        "uplot.LICENSE",
    ),
)


def main() -> int:
    """Write them."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    for library in LIBRARIES:
        (VENDOR / library.target).write_bytes(kept(library, member_of(package_of(library), library.member)))
        print(f"{library.target}: {library.package}")
    return 0


def kept(library: Library, content: bytes) -> bytes:
    """What is written of a file: text with its rewrites, and without a map of its source, which is not here.

    Raises:
        SystemExit: it does not have what is to be rewritten.
    """
    if library.target.endswith(".woff2"):
        return content
    text = content.decode()
    for before, after in library.rewrites:
        if before not in text:
            raise SystemExit(f"{library.package}: {library.member} does not have {before!r}")
        text = text.replace(before, after)
    lines = (line.rstrip() for line in text.splitlines() if not line.startswith("//# sourceMapping"))
    return ("\n".join(lines) + "\n").encode()


def package_of(library: Library) -> bytes:
    """A package, as npm has it.

    Raises:
        SystemExit: it is another one.
    """
    with tempfile.TemporaryDirectory() as folder:
        name = subprocess.run(
            ["npm", "pack", library.package],  # noqa: S607 - npm, wherever it is
            cwd=folder, check=True, capture_output=True, text=True,
        ).stdout.split()[-1]  # fmt: skip
        content = (Path(folder) / name).read_bytes()
    found = hashlib.sha512(content).hexdigest()
    if found != library.sha512:
        raise SystemExit(f"{library.package}: its hash is {found}")
    return content


def member_of(package: bytes, member: str) -> bytes:
    """A file of a package."""
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        file = archive.extractfile(f"package/{member}")
        assert file is not None, member
        return file.read()


if __name__ == "__main__":
    sys.exit(main())
