"""Whole pipelines that use only the public API."""
