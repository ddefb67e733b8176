"""Where trials run: pools of worker processes."""
