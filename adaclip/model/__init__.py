"""The method: AdaCLIP and its parts."""
