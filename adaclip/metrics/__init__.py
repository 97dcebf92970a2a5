"""Exact detection metrics: arrays in, floats or None (undefined, with the reason) out."""
