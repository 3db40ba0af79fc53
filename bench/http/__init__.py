"""How fast the HTTP API is, beside a handler of the same server that does nothing: `make bench-http`."""
