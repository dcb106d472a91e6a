"""Looking inside trained networks."""
