{{/* Names and labels. Every one takes the root, but those that say otherwise. */}}

{{- define "hl-monitor.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "hl-monitor.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "hl-monitor.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "hl-monitor.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Takes root and component: what a selector may hold, which can never be changed. */}}
{{- define "hl-monitor.selector" -}}
app.kubernetes.io/name: {{ include "hl-monitor.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Takes root and component: every label of an object. */}}
{{- define "hl-monitor.labels" -}}
{{ include "hl-monitor.selector" . }}
app.kubernetes.io/part-of: hl-monitor
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{/* Takes root and component: name and labels of an object. */}}
{{- define "hl-monitor.metadata" -}}
name: {{ include "hl-monitor.fullname" .root }}-{{ .component }}
labels:
  {{- include "hl-monitor.labels" . | nindent 2 }}
{{- end -}}

{{- define "hl-monitor.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Whether the database is a file on a volume: "true" or nothing. */}}
{{- define "hl-monitor.isSqlite" -}}
{{- if or .Values.demo.enabled .Values.database.sqlite.enabled -}}true{{- end -}}
{{- end -}}

{{/* Takes root and group: who shares the IP that the group's pods leave through. */}}
{{- define "hl-monitor.egress" -}}
{{- .group.egress | default (.root.Values.demo.enabled | ternary "pod" "shared") -}}
{{- end -}}

{{- define "hl-monitor.natsUrl" -}}
{{- if .Values.demo.enabled -}}nats://{{ include "hl-monitor.fullname" . }}-nats:4222{{- else -}}{{ .Values.nats.url }}{{- end -}}
{{- end -}}
