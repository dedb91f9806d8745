"""Documents for customers and sellers, issued once with the fact they follow, and printed from what was kept."""
