"""``amends run``: files of operations, each read as a batch and run through one session."""
