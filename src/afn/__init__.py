"""Attentive filtering networks and the other systems of the paper, for replay attack detection."""
