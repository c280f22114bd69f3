{{/* "kluis" for a release of that name, else "<release>-kluis"; room is left for what is appended. */}}
{{- define "kluis.name" -}}
{{- if contains "kluis" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-kluis" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "kluis.operator" -}}{{ include "kluis.name" . }}-operator{{- end -}}
{{- define "kluis.service" -}}{{ include "kluis.name" . }}-service{{- end -}}

{{- define "kluis.operator.account" -}}
{{- .Values.operator.serviceAccount.name | default (include "kluis.operator" .) -}}
{{- end -}}

{{/* Where the service is for the operator and for everything else in the cluster. */}}
{{- define "kluis.service.endpoint" -}}
https://{{ include "kluis.service" . }}.{{ .Release.Namespace }}.svc{{ if ne (int .Values.service.port) 443 }}:{{ .Values.service.port }}{{ end }}
{{- end -}}

{{- define "kluis.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{ .Values.image.repository }}:{{ $tag }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{/* What tells a part's own objects from everything else's; called with (dict "root" $ "part" "operator"). */}}
{{- define "kluis.selector" -}}
app.kubernetes.io/name: kluis
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "kluis.labels" -}}
{{ include "kluis.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}
