"""The protocol between kiosk and marketplace: formats, trust, publishing, following, uplink."""
