"""Paper: what a slip says on it, its letters, the printer and the truth about each job."""
