"""The protocol between kiosk and marketplace: the formats both sides share."""
