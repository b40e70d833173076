"""The functions that templates call: Go's own, Prometheus's and Alertmanager's."""
