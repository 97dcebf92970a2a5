"""Atomic writes, locks and folders."""
