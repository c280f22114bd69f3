{{/* Restricted pod security. The group is named as well: an image's user alone would leave it at root's. */}}
{{- define "kluis.security.pod" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "kluis.security.container" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Where a pod may run; called with the part's values. */}}
{{- define "kluis.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "kluis.log" -}}
- { name: KLUIS_LOG_FORMAT, value: {{ .Values.log.format | quote }} }
{{- with .Values.log.filter }}
- { name: RUST_LOG, value: {{ . | quote }} }
{{- end }}
{{- end -}}
