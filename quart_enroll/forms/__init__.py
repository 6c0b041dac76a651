"""What shape a request must have."""
