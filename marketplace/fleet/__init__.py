"""The corners and their devices as HQ knows them."""
