{{/* gateway.yaml, as the gateway reads it. */}}
{{- define "sluice.gatewayConfig" -}}
{{- $v := .Values -}}
{{- $upstream := dict "url" $v.upstream.url "timeouts" $v.upstream.timeouts "injectUsage" $v.upstream.injectUsage -}}
{{- if $v.upstream.existingSecret -}}
{{- $_ := set $upstream "apiKeyFile" "/etc/sluice/upstream/api-key" -}}
{{- end -}}
{{- if $v.upstream.caConfigMap -}}
{{- $_ := set $upstream "caFile" "/etc/sluice/upstream-ca/ca.crt" -}}
{{- end -}}
{{- $store := dict "kind" $v.store.kind "onFailure" $v.store.onFailure -}}
{{- if eq $v.store.kind "redis" -}}
{{- $redis := dict "timeoutMs" $v.store.timeoutMs -}}
{{- if $v.redis.enabled -}}
{{- $_ := set $redis "url" (printf "redis://%s:6379/0" (include "sluice.componentName" (list . "redis"))) -}}
{{- else -}}
{{- $_ := set $redis "url" $v.externalRedis.url -}}
{{- $_ := set $redis "mode" $v.externalRedis.mode -}}
{{- with $v.externalRedis.nodes -}}{{- $_ := set $redis "nodes" . -}}{{- end -}}
{{- with $v.externalRedis.masterName -}}{{- $_ := set $redis "masterName" . -}}{{- end -}}
{{- if $v.externalRedis.caConfigMap -}}
{{- $_ := set $redis "caFile" "/etc/sluice/redis-ca/ca.crt" -}}
{{- end -}}
{{- if and $v.externalRedis.existingSecret $v.externalRedis.usernameKey -}}
{{- $_ := set $redis "usernameFile" "/etc/sluice/redis/username" -}}
{{- end -}}
{{- end -}}
{{- if include "sluice.redisSecret" . -}}
{{- $_ := set $redis "passwordFile" "/etc/sluice/redis/password" -}}
{{- end -}}
{{- $_ := set $store "redis" $redis -}}
{{- end -}}
{{- $config := dict
      "listen" "0.0.0.0:8080"
      "admin" "0.0.0.0:9090"
      "workers" $v.gateway.workers
      "limits" "/etc/sluice/limits"
      "upstream" $upstream
      "store" $store
      "accounting" $v.accounting
      "timeouts" (dict "drainMs" (mul 1000 $v.gateway.drainSeconds)) -}}
{{- if $v.gateway.tlsSecret -}}
{{- $_ := set $config "tls" (dict "certFile" "/etc/sluice/tls/tls.crt" "keyFile" "/etc/sluice/tls/tls.key") -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy $v.gateway.config)) -}}
{{- end -}}
