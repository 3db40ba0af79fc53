"""The commands that read a store file: list, show, verify, back up and archive."""
