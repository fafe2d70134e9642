"""Parts that a project has made for itself."""
