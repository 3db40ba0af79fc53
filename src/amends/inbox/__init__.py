"""The inbox for a user's own database: what is asked twice, late or backwards takes effect once.

A participant whose effect lies in SQLite or PostgreSQL hands its own connection to `once` or `undo_once`, inside its
own transaction. The rule is `amends.core.inbox`, the same that the checker explores; here is only where its memory
lies. No driver is imported. The guide is docs/business-row.md.
"""

from amends.inbox.answering import once, undo_once
from amends.inbox.rows import TABLE, create_table

__all__ = ["TABLE", "create_table", "once", "undo_once"]
