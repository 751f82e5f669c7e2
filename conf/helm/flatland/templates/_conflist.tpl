{{- /* The conflist, of which the ConfigMap holds the text and the DaemonSet the checksum. */ -}}
{{- define "flatland.conflist" -}}
{{- $ipam := dict "type" "flatland-ipam" -}}
{{- with .Values.podCIDRs }}{{ $_ := set $ipam "podCIDRs" . }}{{ end -}}
{{- if eq .Values.registry "etcd" -}}
{{- $etcd := dict "endpoints" .Values.etcd.endpoints -}}
{{- with .Values.etcd.prefix }}{{ $_ := set $etcd "prefix" . }}{{ end -}}
{{- if hasPrefix "https://" (first .Values.etcd.endpoints) -}}
{{- $_ := set $etcd "caFile" "/etc/flatland/etcd/ca.crt" -}}
{{- $_ := set $etcd "certFile" "/etc/flatland/etcd/client.crt" -}}
{{- $_ := set $etcd "keyFile" "/etc/flatland/etcd/client.key" -}}
{{- end -}}
{{- $_ := set $ipam "etcd" $etcd -}}
{{- else -}}
{{- $kubernetes := dict -}}
{{- with .Values.apiServer }}{{ $_ := set $kubernetes "apiServer" . }}{{ end -}}
{{- $_ := set $ipam "kubernetes" $kubernetes -}}
{{- end -}}
{{- $ipam = mergeOverwrite $ipam (deepCopy .Values.ipam) -}}
{{- $entry := dict "type" "flatland" "ipam" $ipam -}}
{{- if .Values.networkPolicy.enabled -}}
{{- $policy := dict -}}
{{- with .Values.networkPolicy.failOpenAfter }}{{ $_ := set $policy "failOpenAfter" . }}{{ end -}}
{{- $_ := set $entry "policy" $policy -}}
{{- end -}}
{{- $entry = mergeOverwrite $entry (deepCopy .Values.plugin) -}}
{{- $list := dict "cniVersion" "1.0.0" "cniVersions" (list "1.0.0" "1.1.0") "name" "flatland" -}}
{{- toPrettyJson (set $list "plugins" (prepend .Values.chainedPlugins $entry)) -}}
{{- end -}}
