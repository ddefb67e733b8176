"""A static site of leaderboards, strategies, guides and reference, which needs no network."""
