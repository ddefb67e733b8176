"""Reports: everything that a user sees, computed from records."""
