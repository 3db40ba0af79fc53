"""The command that calls people: it watches a store by rules."""
