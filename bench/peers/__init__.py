"""Our engine beside two others on the same machine: ``make bench-peers``. What it shows is in docs/speed.md."""
