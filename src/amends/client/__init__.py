"""A client: it submits, waits and tells from any process, and runs no saga itself.

It writes letters to the owners of sagas, and reads what these have stored. Nothing here is part of an engine that runs.
"""
