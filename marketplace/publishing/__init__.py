"""From HQ's rows to what the fleet holds: publications, their terms, trials."""
