{{/*
The pod of a service. Takes root, component, values (of the service; keys that it lacks are the chart's), and
  command    list: the program and its arguments
  uses       list of: nats, database, venue, probes, grpc
  env        YAML of further variables
  grace      seconds between SIGTERM and SIGKILL
  restart    restartPolicy, for Jobs
*/}}
{{- define "hl-monitor.pod" -}}
{{- $root := .root -}}
{{- $own := .values -}}
{{- $all := $root.Values -}}
{{- $uses := .uses -}}
{{- $opensFile := and (has "database" $uses) (include "hl-monitor.isSqlite" $root) -}}
metadata:
  {{- /* No versions: what does not change is not to be restarted by an upgrade. */}}
  labels:
    {{- include "hl-monitor.selector" . | nindent 4 }}
    {{- with merge (dict) ($own.podLabels | default dict) $all.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/settings: {{ include "hl-monitor.settings" $root | sha256sum }}
    {{- with merge (dict) ($own.podAnnotations | default dict) $all.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "hl-monitor.fullname" $root }}-{{ .component }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .restart }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- with .grace }}
  terminationGracePeriodSeconds: {{ . }}
  {{- end }}
  {{- include "hl-monitor.placement" (dict "root" $root "values" $own) | nindent 2 }}
  securityContext:
    {{- toYaml $all.podSecurityContext | nindent 4 }}
  {{- $affinity := $own.affinity | default $all.affinity }}
  {{- if and $opensFile (ne .component "writer") }}
  affinity:
    podAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        - topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "hl-monitor.selector" (dict "root" $root "component" "writer") | nindent 14 }}
  {{- else if $affinity }}
  affinity:
    {{- toYaml $affinity | nindent 4 }}
  {{- end }}
  {{- if not .restart }}
  topologySpreadConstraints:
    {{- range $all.topologySpread.topologyKeys }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "hl-monitor.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- if and $opensFile (eq .component "writer") }}
  initContainers:
    - name: migrate
      {{- include "hl-monitor.container" (dict "root" $root "values" $own "command" (list "python" "-m" "hlmonitor.storage.migrate") "uses" (list "database")) | nindent 6 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      {{- include "hl-monitor.container" . | nindent 6 }}
  volumes:
    - name: settings
      configMap:
        name: {{ include "hl-monitor.fullname" $root }}-settings
    {{- if $opensFile }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ include "hl-monitor.fullname" $root }}-sqlite
    {{- end }}
{{- end -}}

{{/* Where a pod of any image may run, and what with. Takes root and values, as hl-monitor.pod. */}}
{{- define "hl-monitor.placement" -}}
{{- $all := .root.Values -}}
{{- with $all.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $all.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector | default $all.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations | default $all.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A container that runs the image. Takes what hl-monitor.pod takes. */}}
{{- define "hl-monitor.container" -}}
{{- $root := .root -}}
{{- $all := $root.Values -}}
{{- $isSqlite := include "hl-monitor.isSqlite" $root -}}
image: {{ .values.image | default (include "hl-monitor.image" $root) | quote }}
imagePullPolicy: {{ $all.image.pullPolicy }}
command: {{ toJson .command }}
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: POD_IP
    valueFrom: {fieldRef: {fieldPath: status.podIP}}
  - name: HLMON_INSTANCE
    value: $(POD_NAME)
  - name: HLMON_CONFIG
    value: /etc/hl-monitor/settings.toml
  - name: HLMON_HEALTH_PORT
    value: "8080"
  {{- if has "nats" .uses }}
  - name: HLMON_NATS_URL
    {{- if and $all.nats.existingSecret (not $all.demo.enabled) }}
    valueFrom:
      secretKeyRef: {name: {{ $all.nats.existingSecret }}, key: {{ $all.nats.secretKey }}}
    {{- else }}
    value: {{ include "hl-monitor.natsUrl" $root }}
    {{- end }}
  {{- end }}
  {{- if has "database" .uses }}
  - name: HLMON_DATABASE_URL
    {{- if $isSqlite }}
    value: sqlite+aiosqlite:////data/hlmonitor.db
    {{- else }}
    valueFrom:
      secretKeyRef: {name: {{ $all.database.existingSecret }}, key: {{ $all.database.secretKey }}}
    {{- end }}
  {{- end }}
  {{- if has "venue" .uses }}
  - name: HLMON_VENUE_WS_URL
    value: {{ $all.demo.enabled | ternary (printf "ws://%s-simulator:8899/ws" (include "hl-monitor.fullname" $root)) $all.venue.wsUrl }}
  - name: HLMON_VENUE_REST_URL
    value: {{ $all.demo.enabled | ternary (printf "http://%s-simulator:8899" (include "hl-monitor.fullname" $root)) $all.venue.restUrl }}
  {{- end }}
  {{- with .env }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with concat $all.extraEnv (.values.extraEnv | default list) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if has "probes" .uses }}
ports:
  - name: health
    containerPort: 8080
  {{- if has "grpc" .uses }}
  - name: grpc
    containerPort: {{ include "hl-monitor.grpcPort" . }}
  {{- end }}
{{- /* A service answers as soon as it lives, and goes on trying when what it needs is away: being ready takes others. */}}
startupProbe:
  httpGet: {path: /health/live, port: health}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /health/live, port: health}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{- if has "grpc" .uses }}
  grpc: {port: {{ include "hl-monitor.grpcPort" . }}}
  {{- else }}
  httpGet: {path: /health/ready, port: health}
  {{- end }}
  periodSeconds: 3
  timeoutSeconds: 3
{{- end }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $all.securityContext | nindent 2 }}
volumeMounts:
  - name: settings
    mountPath: /etc/hl-monitor
    readOnly: true
  {{- if and (has "database" .uses) $isSqlite }}
  - name: data
    mountPath: /data
  {{- end }}
{{- end -}}

{{/* Takes component. */}}
{{- define "hl-monitor.grpcPort" -}}
{{- eq .component "writer" | ternary 16820 16821 -}}
{{- end -}}

{{/* Takes root and service (its name in the settings): seconds between SIGTERM and SIGKILL, more than its drain takes. */}}
{{- define "hl-monitor.grace" -}}
{{- $settings := .root.Values.settings -}}
{{- $own := index $settings .service | default dict -}}
{{- $own.drain_timeout_s | default $settings.drain_timeout_s | default 20 | int | add 10 -}}
{{- end -}}

{{/* The settings file. */}}
{{- define "hl-monitor.settings" -}}
{{- $demo := dict -}}
{{- if .Values.demo.enabled -}}
{{- /* The simulator's wallets are as many as there is room for: none is kept free for rotation. */ -}}
{{- $demo = dict "gateway" (dict "spare_connections" 0) -}}
{{- end -}}
{{- mergeOverwrite $demo (deepCopy .Values.settings) | toToml -}}
{{- end -}}
