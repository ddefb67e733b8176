"""Strategies that change training batches."""
