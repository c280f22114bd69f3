{{/* The inventory's text, however it was given. */}}
{{- define "kluis.inventory" -}}
{{- if kindIs "string" .Values.service.inventory -}}
{{ .Values.service.inventory }}
{{- else -}}
{{ toYaml .Values.service.inventory }}
{{- end -}}
{{- end -}}

{{/* Every name by which a client in the cluster may call it, between commas. */}}
{{- define "kluis.service.names" -}}
{{- $name := include "kluis.service" . -}}
{{- $within := printf "%s.%s" $name .Release.Namespace -}}
{{- concat (list $name $within (printf "%s.svc" $within) (printf "%s.svc.cluster.local" $within)) .Values.service.names | join "," -}}
{{- end -}}
