"""The datasets: what is known about each, and how it is loaded."""
