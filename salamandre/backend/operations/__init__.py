"""The operations of all backends, a file for each topic; import them from there."""
