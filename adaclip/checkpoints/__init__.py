"""Learned weights: what there is, where it comes from, what it says of itself."""
