"""Servers of the offline stack; scripts/stack.py starts and stops them."""
