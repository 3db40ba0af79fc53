"""The HTTP API: an ASGI application that is a client like any other (docs/serve.md).

`app` builds it, `routes` lists its parts. Each part is a file: `starting`, `looking`, `telling` and so on. What is sent
is bounded and read strictly in `bodies`; what goes wrong becomes a problem document in `problems`; who may call a route
stands beside the route, as its ``scope``.
"""
