"""The command that runs an engine until it is told to end."""
