"""What people see: HTML."""
