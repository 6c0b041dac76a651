"""What other programs see: JSON."""
