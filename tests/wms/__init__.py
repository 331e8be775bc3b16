"""A reference WMS: a real server of `docs/inventory-api.yaml` with its own database, for tests and for integrators.

`python -m tests.wms --token T [--database FILE] [--port N]` runs it alone.
"""
