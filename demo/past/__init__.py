"""A marketplace's past: weeks of sellers, slips, orders and payouts, made by the product's own functions with its clock moved."""
