"""Samples judged and measured: a run that can be killed and resumed."""
