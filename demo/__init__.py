"""The web page: components, wiring and pictures. Imports gradio, never torch."""
