"""The engine: one loop that gathers tasks, decides, commits, and only then sends requests and answers clients.

`coordinator` takes a turn, sans I/O but for its store; `loop` drives it on asyncio, and `engine` is what clients use.
"""
