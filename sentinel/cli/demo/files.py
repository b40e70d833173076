"""The files of the demo, as a user would write them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TOPIC, ALERT_TOPIC = "telemetry", "sentinel.alerts"

_SENTINEL: Final = """\
global: {{evaluation_interval: 500ms, external_labels: {{demo: "yes"}}}}
sources:
  - name: telemetry
    kafka: {{bootstrap_servers: "{bootstrap}", topics: [{topic}], group_id: sentinel}}
    format: json
rule_files: ["rules.yml"]
alert_topic: {{bootstrap_servers: "{bootstrap}", topic: {alert_topic}}}
alerting: {{config_file: alertmanager.yml}}
"""

_ALERTMANAGER: Final = """\
route: {{receiver: pager, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: pager
    webhook_configs: [{{url: "{webhook}"}}]
"""

_RULES: Final = """\
groups:
  - name: demo
    rules:
      - alert: HighErrorRatio
        expr: |
          sum by (service) (rate(request_errors_total[3s]))
            / sum by (service) (rate(requests_total[3s])) > 0.1
        for: 1s
        labels: {severity: page}
        annotations:
          summary: "{{ $value | humanizePercentage }} of {{ $labels.service }}'s requests fail"
      - alert: QueueFilling
        expr: avg by (service) (queue_depth) > 100
        for: 1s
        labels: {severity: page}
        annotations:
          summary: "{{ printf \\"%.0f\\" $value }} requests wait in {{ $labels.service }}"
      - record: service:latency:anomaly
        expr: avg by (service) (request_latency_seconds)
        detector: deviation
        with: {sensitivity: 0.000001}
      - alert: LatencyAnomaly
        expr: service:latency:anomaly > 1
        for: 1s
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.service }} answers unusually, score {{ $value | humanize }}"
"""


def write_files(folder: Path, bootstrap: str, webhook: str) -> Path:
    """Writes the configuration, the receivers and the rules; gives the configuration's path."""
    config = folder / "sentinel.yml"
    config.write_text(_SENTINEL.format(bootstrap=bootstrap, topic=TOPIC, alert_topic=ALERT_TOPIC))
    (folder / "alertmanager.yml").write_text(_ALERTMANAGER.format(webhook=webhook))
    (folder / "rules.yml").write_text(_RULES)
    return config
