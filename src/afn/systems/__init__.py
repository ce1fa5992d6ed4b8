"""The systems of the results table: one folder per family, behind the interface in protocol.py."""
