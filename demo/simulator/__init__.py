"""Kiosks and HQ in one process under one seed: the product's own code on links, disks and clocks that fail as real ones do."""
