"""From anomaly maps to regions, pictures and files."""
