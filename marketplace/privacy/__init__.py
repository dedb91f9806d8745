"""What we know of persons: which columns hold it, how a customer is given all of it, and how it is erased."""
