"""The central app: sellers, publishing, fleet, slip page, orders."""
