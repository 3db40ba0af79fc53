"""The verbs of operators on the command line."""
