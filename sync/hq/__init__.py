"""HQ's side of the protocol: publish, sign, try out, keep replicas, sweep."""
