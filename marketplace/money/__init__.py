"""Where every cent stands: the ledger, sales, fees, payouts, and HQ's pages of them."""
