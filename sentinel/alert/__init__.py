"""From "the engine decided" to "the receiver was told": the alert event log and the notification pipeline."""
