"""A whole small world on one machine: sample catalogue, virtual printer, simulated fleet."""
