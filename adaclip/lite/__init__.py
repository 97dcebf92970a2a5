"""How the small model that ships is made and calibrated."""
