"""The benchmark page's figures: plotly, no gradio, readable on white and on black."""
