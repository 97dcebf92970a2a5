"""What every tab uses."""
