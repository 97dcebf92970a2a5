"""The paper's training on auxiliary data, resumable."""
