"""Slips read at the centre, and the orders made from them."""
