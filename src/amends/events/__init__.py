"""What happened to sagas, for others: read from the audit behind a cursor, and written as CloudEvents."""
