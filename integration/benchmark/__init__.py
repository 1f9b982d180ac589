"""What integration/bench compares, measures and draws."""
