"""The outbox: letters to the engines, written in a user's own transaction on the user's own connection.

A rollback takes a letter back, and the commit is enough that it is acted on, once. No driver is imported. The guide is
docs/business-row.md.
"""

from amends.outbox.rows import TABLE, create_table
from amends.outbox.sending import OutboxHandle, answer, cancel, submit

__all__ = ["TABLE", "OutboxHandle", "answer", "cancel", "create_table", "submit"]
