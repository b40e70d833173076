"""`sentinel test rules`: reading its files, running them, saying what went wrong."""
