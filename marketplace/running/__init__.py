"""What keeps a marketplace going beside its requests, and what it tells of itself."""
