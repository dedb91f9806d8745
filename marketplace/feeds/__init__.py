"""What HQ's feed says, judged whole before a row of it is kept."""
