"""Verifying what is stored: the chain of the audit, and whether the rows say what the records say (docs/audit.md)."""
