"""One append-only CSV of what people judged, and everything made of it."""
