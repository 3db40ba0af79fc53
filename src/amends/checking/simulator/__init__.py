"""The simulator: the engine's own loop on a simulated store, clock and world, by seeds.

`simulate` is for tests, ``amends simulate`` for the command line; docs/simulating.md is the guide. Who is who: `world`
passes time, `host` is a machine and `process` the engine's process on it; `storage`, `wire`, `clients` and `operators`
are the world around it; `view` and `journal` are what can be seen of it from outside, and `invariants` and `rest` say
what must hold of that.
"""
