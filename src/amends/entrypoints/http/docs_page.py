"""The OpenAPI document as a page, made here: pages of other makers load their code from elsewhere, or inline it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin

METHODS: Final = ("get", "put", "post", "delete")
HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Amends: the HTTP API</title>
<link rel="stylesheet" href="assets/console.css">
</head>
<body class="document">
<main>
<h1>The HTTP API</h1>
<p>As a document: <a href="docs/openapi.json">OpenAPI 3.1</a>.</p>
"""
FOOT: Final = "</main>\n</body>\n</html>\n"


class StrictDocument(JsonRenderPlugin):
    """The document as JSON, which says of each body that it has no other fields: other ones are refused."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document."""
        return super().render(request, strict(openapi_schema))


def strict(document: dict[str, Any]) -> dict[str, Any]:
    """A document whose bodies have no other fields than it says."""
    for name, schema in document["components"]["schemas"].items():
        if schema.get("type") == "object" and name.endswith(("Wanted", "Given", "Meant")):
            schema["additionalProperties"] = False
    return document


class DocumentPage(OpenAPIRenderPlugin):
    """A page with each route: what it does, what it takes, and what it answers."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - as it is called
        """The page, as HTML."""
        paths: Mapping[str, Mapping[str, Any]] = openapi_schema["paths"]
        routes = (
            _route(path, method, item[method]) for path, item in paths.items() for method in METHODS if method in item
        )
        return (HEAD + "".join(routes) + FOOT).encode()


def _route(path: str, method: str, told: Mapping[str, Any]) -> str:
    name = f"{method.upper()} {path}"
    parts = [
        f"<section>\n<h2><code>{escape(name)}</code></h2>\n<p>{escape(told.get('description', told['summary']))}</p>\n"
    ]
    if rows := "".join(_parameters(told)):
        parts.append(f"<table><thead><tr><th>parameter<th>where<th>what</thead><tbody>{rows}</tbody></table>\n")
    if body := _body(told):
        parts.append(f"<p>Takes {escape(body)}.</p>\n")
    codes = ", ".join(f"{code} {answer['description']}" for code, answer in told["responses"].items())
    parts.append(f"<p>Answers {escape(codes)}.</p>\n</section>\n")
    return "".join(parts)


def _parameters(told: Mapping[str, Any]) -> Iterator[str]:
    for parameter in told.get("parameters", ()):
        words = parameter.get("description", "")
        yield f"<tr><td><code>{escape(parameter['name'])}</code><td>{escape(parameter['in'])}<td>{escape(words)}"


def _body(told: Mapping[str, Any]) -> str:
    """The name of what a route takes; empty for nothing."""
    content: Mapping[str, Any] = told.get("requestBody", {}).get("content", {})
    schema: Mapping[str, Any] = next((each.get("schema", {}) for each in content.values()), {})
    return str(schema.get("$ref", "")).rpartition(".")[2].rpartition("/")[2]
