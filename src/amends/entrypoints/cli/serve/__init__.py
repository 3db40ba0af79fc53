"""``amends serve``: the HTTP API and the console on a store."""
