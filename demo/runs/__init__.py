"""Evaluation runs as the page sees them: library, jobs, files, pictures."""
