"""``amends tail`` and ``amends publish``: what happened to sagas, for people and for other programs."""
