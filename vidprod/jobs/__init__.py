"""Durable jobs: accepted once, run on a warm process per device, ended exactly once."""
