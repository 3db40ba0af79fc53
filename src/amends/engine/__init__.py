"""The engine: one loop that gathers, decides, commits, and only then sends and answers.

`turn` is sans I/O but for its store; `shell` is the thin asyncio around it.
"""
