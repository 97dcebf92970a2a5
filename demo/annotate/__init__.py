"""Flags on detections, and the Annotate tab that reviews them."""
