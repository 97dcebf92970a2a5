"""Rank metrics, region overlap, curves and intervals: arrays in, numbers out."""
