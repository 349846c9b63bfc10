{{- define "tim-operator.name" -}}
{{- if contains "tim-operator" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-operator" (.Release.Name | trunc 40 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "tim-operator.selector" -}}
app.kubernetes.io/name: tim-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tim-operator.labels" -}}
{{ include "tim-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: timcluster
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "tim-operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "tim-operator.name" .) }}
{{- end }}

{{- define "tim-operator.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* The namespaces to watch, as a comma-separated list; empty: all. */ -}}
{{- define "tim-operator.watchNamespaces" -}}
{{- if .Values.watchNamespaces }}{{ join "," .Values.watchNamespaces }}{{ else if eq .Values.rbac.scope "namespaced" }}{{ .Release.Namespace }}{{ end }}
{{- end }}
