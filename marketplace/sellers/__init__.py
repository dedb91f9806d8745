"""The companies that sell on the marketplace, as HQ sees them."""
