"""What the fleet sends: stored first, judged later."""
