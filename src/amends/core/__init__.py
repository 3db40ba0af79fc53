"""The pure core: what a saga is and what it decides. It needs the standard library alone.

No module here knows a clock, a socket, a logger or chance: time comes in as a number, and what the core wants
done goes out as values.
"""
