"""The flag bar and its regions: in every tab."""
