"""The Detect tab: photos in, verdicts and maps out."""
