"""The console: pages in the browser that ask the HTTP API, and are files of the package (docs/console.md)."""
