"""The in-store app: customer pages, clerk counter, printing."""
