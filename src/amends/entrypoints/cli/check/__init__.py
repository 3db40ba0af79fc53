"""``amends check`` and ``amends simulate``: a definition explored or simulated, and a test of what was found."""
