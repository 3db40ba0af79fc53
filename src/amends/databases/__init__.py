"""Databases of users: a connection that a user has in hand, driven in one way with any driver.

The inbox and the outbox write on it, inside the user's own transaction. No driver is imported.
"""
