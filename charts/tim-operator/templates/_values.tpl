{{- /* Every value of the chart, by its section. values.schema.json says the same with types; a test compares the two.
       The schema leaves unknown names to this file, since its own refusal cannot say which name was meant. */ -}}
{{- define "tim-operator.values" -}}
values: [global, enabled, image, nodeImage, replicas, crds, rbac, watchNamespaces, serviceAccount, concurrency, log, telemetry, resources, podDisruptionBudget, serviceMonitor, podLabels, podAnnotations, nodeSelector, tolerations, affinity, priorityClassName, overlay]
image: [registry, repository, tag, digest, pullPolicy, pullSecrets]
crds: [install]
rbac: [create, scope]
serviceAccount: [create, name, annotations]
log: [filter]
telemetry: [otlpEndpoint]
podDisruptionBudget: [enabled]
serviceMonitor: [enabled, labels]
overlay: [deployment, service, podDisruptionBudget]
{{- end }}

{{- /* Of the `known` names the one that shares the most pairs of letters with `word`; empty where none shares a fifth. */ -}}
{{- define "tim-operator.nearest" -}}
{{- $word := lower .word -}}
{{- $best := "" -}}
{{- $bestShare := 20 -}}
{{- range $name := .known -}}
  {{- $shared := 0 -}}
  {{- range $index := until (int (max 0 (sub (len $word) 1))) -}}
    {{- if contains (substr $index (int (add $index 2)) $word) (lower $name) }}{{ $shared = add $shared 1 }}{{ end -}}
  {{- end -}}
  {{- $share := div (mul 200 $shared) (max 1 (add (len $word) (len $name) -2)) -}}
  {{- if gt (int $share) (int $bestShare) }}{{ $best = $name }}{{ $bestShare = $share }}{{ end -}}
{{- end -}}
{{- $best -}}
{{- end }}

{{- /* Refuses names that the chart does not know, before anything is made. */ -}}
{{- define "tim-operator.checkValues" -}}
{{- $values := .Values -}}
{{- range $section, $known := include "tim-operator.values" . | fromYaml -}}
  {{- $prefix := "" -}}
  {{- $given := $values -}}
  {{- if ne $section "values" }}{{ $prefix = printf "%s." $section }}{{ $given = get $values $section | default dict }}{{ end -}}
  {{- range $name, $_ := $given -}}
    {{- if not (has $name $known) -}}
      {{- $try := printf ". Known: %s" (join ", " $known) -}}
      {{- with include "tim-operator.nearest" (dict "word" $name "known" $known) }}{{ $try = printf "; did you mean %s%s?" $prefix . }}{{ end -}}
      {{- fail (printf "TIM-C101 %s%s is not a value of the chart tim-operator%s Nothing was changed." $prefix $name $try) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end }}
