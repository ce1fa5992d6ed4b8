"""Attentive filtering networks and the other systems of the paper, for replay attack detection."""

__version__ = "0.1.0"
