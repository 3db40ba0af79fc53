"""How the command ends, whatever happens to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import amends as package
from tests.acceptance.command import EXAMPLES, ROOT, Ran, amends, command_line, environment, process

MANY = json.dumps(
    [["CREATE_CUSTOMER", "C", 9], ["ADD_PRODUCT", "P", 9, 1], *[["PLACE_ORDER", "C", "P", 0]] * 30_000]
).encode()
WRONG_CALLS = {
    ("run",): "amends: run: name a file of operations, or - for standard input. See: amends run --help\n",
    ("run", "none"): "amends: none: no such file\n",
    ("run", "--jsno", "x"): "amends: No such option: --jsno",
    ("fly",): "amends: No such command 'fly'",
    ("--fly",): "amends: No such option: --fly",
    ("graph",): "amends: Missing argument 'DEFINITION'",
    ("graph", "shop", "--format", "png"): "amends: Invalid value for '--format'",
    ("graph", "shop", "more"): "amends: Got unexpected extra argument",
}


@pytest.mark.parametrize("call", WRONG_CALLS, ids=" ".join)
def test_a_wrong_call_is_one_line_and_2(call: tuple[str, ...]) -> None:
    """It names what is wrong and where help is; nothing is printed on standard output."""
    ran = amends(*call)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(WRONG_CALLS[call])
    assert ran.err.count("\n") == 1


def test_refusals_and_canceled_orders_are_no_failure() -> None:
    """They are what the command is there to tell."""
    assert amends("run", EXAMPLES[1], "-", given=b'["NOTHING"]').code == 0


def test_when_one_file_is_unusable_none_has_run() -> None:
    """All are read before the first is run."""
    ran = amends("run", *EXAMPLES, "-", given=b"[")
    assert (ran.code, ran.out) == (2, "")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`amends run ... | head -1` ends at once, with what a shell says of SIGPIPE and nothing on standard error."""
    path = tmp_path / "many.json"
    path.write_bytes(MANY)
    for options in ([], ["--json"]):
        with subprocess.Popen(
            command_line("run", *options, path),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            assert running.stdout
            assert running.stderr
            running.stdout.readline()
            running.stdout.close()
            assert running.stderr.read() == b""
        assert running.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_full_disk_is_bad_news(options: list[str]) -> None:
    """1, and one line that says so."""
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            command_line("run", *options, *EXAMPLES),
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, b"amends: cannot write: No space left on device\n")


@pytest.mark.skipif(os.name == "nt", reason="the shell that can close a stream is not on Windows")
def test_closed_streams_are_empty_ones() -> None:
    """What cannot be read is empty, what cannot be written is not missed."""
    ends = {
        "run - <&-": (2, b"amends: standard input: it is empty; give a list of operations, [] for none\n"),
        "run examples/example-1.json >&-": (0, b""),
        "run none 2>&-": (2, b""),
    }
    for call, end in ends.items():
        words = " ".join([*command_line(), call])
        ran = subprocess.run(["/bin/sh", "-c", words], cwd=ROOT, env=environment(), capture_output=True, check=False)
        assert (ran.returncode, ran.stderr, ran.stdout) == (*end, b"")


def hear_ctrl_c() -> None:
    """Take SIGINT as in the foreground: what is started in the background inherits that it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal to send to one process")
def test_ctrl_c_ends_it_quietly() -> None:
    """130, as a shell says of SIGINT; standard input stays open, so that the command waits."""
    with subprocess.Popen(
        command_line("run", "-"),
        env=environment(PYTHONSTARTUP=""),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - nothing is locked there that a single signal call would need
    ) as running:
        assert running.stdin
        running.stdin.write(MANY)  # more than a pipe holds: once it is taken, the command is reading
        running.stdin.flush()
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, b"", b"")


def test_the_version_is_the_packages() -> None:
    """Of the command, and of `python -m amends`."""
    said = Ran(0, f"amends {package.__version__}\n", "")
    assert amends("--version") == said
    assert process("--version") == said


def test_alone_it_shows_its_help() -> None:
    """And ends with 2, since a script that calls it so has forgotten something."""
    ran = amends()
    assert (ran.code, ran.err) == (2, "")
    assert ran.out.strip() == amends("--help").out.strip()


def test_help_imports_nothing_that_it_does_not_need() -> None:
    """The library for reading JSON is for `run`, the one for drawing for what is drawn."""
    program = "import sys; from amends.entrypoints.cli.app import app; print({'msgspec', 'rich'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
