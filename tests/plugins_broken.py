"""A plugin that cannot be imported."""

raise ImportError("libsomething.so is not here")
