"""Placeholder, replaced by its chapter."""
