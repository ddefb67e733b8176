"""Strategies that fit in a way of their own."""
