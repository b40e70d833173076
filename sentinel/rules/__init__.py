"""Rule files, and rules at run time: recording, detecting, alerting."""
