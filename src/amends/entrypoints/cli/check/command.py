"""The command ``amends simulate``; `amends.entrypoints.cli.app` brings it in."""

from __future__ import annotations

from typing import Annotated

import typer

Definition = Annotated[
    str,
    typer.Argument(
        metavar="DEFINITION",
        help="shop, module:name or path.py:name: a Scenario, or a Saga beside its Scenarios.",
        show_default=False,
    ),
]
"""What ``check`` and ``simulate`` are about."""


def simulate(
    definition: Definition,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, metavar="N", help="So many schedules of each scenario.")
    ] = 1000,
    first: Annotated[int, typer.Option("--first", min=0, metavar="K", help="The first seed.")] = 1,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, metavar="S", help="Tell everything that happens in one schedule.")
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", min=0, metavar="P", help="Divide the seeds; by default among all processors.")
    ] = 0,
    hosts: Annotated[
        int,
        typer.Option("--hosts", min=1, metavar="H", help="Two to so many engines, each on a host, share a database."),
    ] = 1,
    apart: Annotated[
        bool, typer.Option("--apart", help="Each service has a store and engines of its own, behind a wire.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a document for programs.")] = False,
    pytest: Annotated[
        str, typer.Option("--pytest", metavar="FILE", help="Write a test that replays the failing schedule.")
    ] = "",
    replay: Annotated[
        str, typer.Option("--replay", metavar="TOKEN", help="Play one failing schedule again, and nothing else.")
    ] = "",
    whole: Annotated[bool, typer.Option("--whole", help="Tell every moment of a failing schedule.")] = False,
) -> None:
    """Run a saga on the engine's own loop in a simulated world, seed after seed.

    Processes crash between any two of their steps, commits fail without
    saying whether they took effect, participants are slow, late, down or
    change their minds, clients ask twice and cancel, clocks go wrong. Then
    all is healed, and every saga must end. Either all of it held, or the
    first failing schedule is made small and told. With --hosts several engines
    take over from each other meanwhile, and clients write them letters. With
    --apart each service has a store and engines of its own, and the wire
    between them loses, doubles and delays messages.

    [bold]Examples[/]
      [cyan]amends simulate shop --seeds 5000[/]
      [cyan]amends simulate trip.py:trip --pytest test_trip_schedule.py[/]
      [cyan]amends simulate trip.py:trip --seed 17[/]
      [cyan]amends simulate shop --hosts 3[/]
      [cyan]amends simulate shop --apart[/]

    [bold]Exit codes[/]
      0  every schedule held, and everything that can happen did
      1  a rule was broken, or something rare never happened
      2  it could not be loaded
    """
    from amends.entrypoints.cli.check.simulations import SimulationOptions, simulate_definition

    wanted = SimulationOptions(definition, seeds, first, seed, processes, hosts, apart, as_json, pytest, replay, whole)
    raise typer.Exit(simulate_definition(wanted))
