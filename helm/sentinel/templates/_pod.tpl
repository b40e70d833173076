{{/* The daemon's container, without its name. */}}
{{- define "sentinel.container" -}}
image: {{ include "sentinel.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - run
  - --config.file=/etc/sentinel/config/sentinel.yml
  - --storage.path=/var/lib/sentinel
  - --web.listen-address=0.0.0.0:9464
  - --log.level={{ .Values.logLevel }}
  {{- if .Values.lifecycle }}
  - --web.enable-lifecycle
  {{- end }}
  {{- if .Values.webConfig }}
  - --web.config.file=/etc/sentinel/web/web.yml
  {{- end }}
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: 9464
    protocol: TCP
# Ready means that sources are assigned: that may take as long as Kafka is away. Started is who answers at all.
startupProbe:
  {{- include "sentinel.probe" (dict "root" . "path" "/-/healthy" "timing" .Values.startupProbe) | nindent 2 }}
livenessProbe:
  {{- include "sentinel.probe" (dict "root" . "path" "/-/healthy" "timing" .Values.livenessProbe) | nindent 2 }}
readinessProbe:
  {{- include "sentinel.probe" (dict "root" . "path" "/-/ready" "timing" .Values.readinessProbe) | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  {{- include "sentinel.volumeMounts" . | nindent 2 }}
{{- end }}

{{/* Whole folders, no subPath: files of those never change under a running pod, and a reload would read old ones. */}}
{{- define "sentinel.volumeMounts" -}}
- name: state
  mountPath: /var/lib/sentinel
- name: tmp
  mountPath: /tmp
- name: config
  mountPath: /etc/sentinel/config
  readOnly: true
{{- if .Values.webConfig }}
- name: web
  mountPath: /etc/sentinel/web
  readOnly: true
{{- end }}
{{- if .Values.existingSecret }}
- name: secrets
  mountPath: /etc/sentinel/secrets
  readOnly: true
{{- end }}
{{- if .Values.tlsSecret }}
- name: tls
  mountPath: /etc/sentinel/tls
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "sentinel.volumes" -}}
- name: config
  projected:
    defaultMode: 0440
    sources:
      - configMap:
          name: {{ include "sentinel.fullname" . }}
      {{- if .Values.alertmanagerConfig }}
      - secret:
          name: {{ include "sentinel.fullname" . }}-alertmanager
      {{- end }}
      {{- if .Values.rules }}
      - configMap:
          name: {{ include "sentinel.fullname" . }}-rules
          items:
            {{- range $name, $_ := .Values.rules }}
            - key: {{ quote $name }}
              path: {{ printf "rules/%s" $name | quote }}
            {{- end }}
      {{- end }}
{{- $fullname := include "sentinel.fullname" . }}
{{- $web := ternary (printf "%s-web" $fullname) "" (not (empty .Values.webConfig)) }}
{{- range $name, $secret := dict "web" $web "secrets" .Values.existingSecret "tls" .Values.tlsSecret }}
{{- if $secret }}
- name: {{ $name }}
  secret:
    secretName: {{ quote $secret }}
    defaultMode: 0440
{{- end }}
{{- end }}
- name: tmp
  emptyDir: {}
{{- if not .Values.persistence.enabled }}
- name: state
  emptyDir: {}
{{- else if .Values.persistence.existingClaim }}
- name: state
  persistentVolumeClaim:
    claimName: {{ quote .Values.persistence.existingClaim }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
