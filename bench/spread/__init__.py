"""The shop spread over processes, measured against what its server can do: ``python -m bench.spread``."""
