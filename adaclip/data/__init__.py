"""Images in: reading, samples, pairing, layouts, dataset cards, checks."""
