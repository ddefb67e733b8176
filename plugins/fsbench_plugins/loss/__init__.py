"""Strategies that replace or wrap the loss."""
