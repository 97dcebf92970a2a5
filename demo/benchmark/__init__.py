"""The Benchmark tab: published and measured results, down to the single image."""
