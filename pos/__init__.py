"""The trade itself: rules, records and their SQL; no web, no network, no printer."""
