{{- define "sentinel.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters: a StatefulSet's pods get a label with a hash of eleven appended. */}}
{{- define "sentinel.fullname" -}}
{{- $name := include "sentinel.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "sentinel.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sentinel.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sentinel.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "sentinel.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Name, namespace and labels of every object. Called with a dict of `root` and `suffix`. */}}
{{- define "sentinel.metadata" -}}
name: {{ include "sentinel.fullname" .root }}{{ .suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "sentinel.labels" .root | nindent 2 }}
{{- end }}

{{- define "sentinel.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sentinel.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "sentinel.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* sentinel.yml: what the user wrote, and the files that the chart lays beside it. */}}
{{- define "sentinel.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $files := list -}}
{{- $packs := dict "kafka" "kafka.yml" "kafkaDetect" "kafka.detect.yml" "service" "service.yml" "sentinel" "sentinel.yml" -}}
{{- range $pack, $file := $packs -}}
{{- if index $.Values.packs $pack -}}
{{- $files = append $files (printf "/usr/share/sentinel/rules/%s" $file) -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.rules -}}
{{- $files = append $files (printf "rules/%s" $name) -}}
{{- end -}}
{{- $_ := set $config "rule_files" (concat $files (default list $config.rule_files)) -}}
{{- if .Values.alertmanagerConfig -}}
{{- if $config.alerting -}}
{{- fail "alertmanagerConfig and config.alerting are both set: keep one of them" -}}
{{- end -}}
{{- $_ := set $config "alerting" (dict "config_file" "alertmanager.yml") -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{/* Changes with every file that the daemon reads, and restarts the pod by that. */}}
{{- define "sentinel.checksum" -}}
{{- list (include "sentinel.config" .) .Values.rules .Values.alertmanagerConfig .Values.webConfig | toJson | sha256sum }}
{{- end }}

{{- define "sentinel.scheme" -}}
{{- if .Values.webConfig.tls_server_config }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{/* What a probe asks. A kubelet has no client certificate: where one is required, that the port answers must do. */}}
{{- define "sentinel.probe" -}}
{{- $tls := default dict .root.Values.webConfig.tls_server_config -}}
{{- if hasPrefix "Require" (default "" $tls.client_auth_type) -}}
tcpSocket:
  port: http
{{- else -}}
httpGet:
  path: {{ .path }}
  port: http
  scheme: {{ include "sentinel.scheme" .root }}
{{- end }}
{{ toYaml .timing }}
{{- end }}

{{/* One endpoint of a ServiceMonitor or PodMonitor. Called with a dict of `root` and `monitor`. */}}
{{- define "sentinel.endpoint" -}}
port: http
path: /metrics
scheme: {{ include "sentinel.scheme" .root | lower }}
{{- with .monitor }}
interval: {{ .interval }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- range $key := list "tlsConfig" "basicAuth" "relabelings" "metricRelabelings" }}
{{- with index $.monitor $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
