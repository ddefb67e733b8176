"""What datasets there are: what is known of each, and how it is loaded."""
