"""``amends keys``: who may call the HTTP API."""
